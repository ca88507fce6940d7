"""What venues call our networks: a person confirms it before funds go there."""

from django.db import IntegrityError, transaction

from accounts.domain.networks import canonical_network
from accounts.domain.rules import RuleKind
from accounts.errors import NetworkNameTaken
from accounts.models import VenueNetwork
from accounts.services.history import Person, require_staff, write_change
from arbplatform.core.clock import SYSTEM_CLOCK, Clock
from arbplatform.core.errors import InvalidInput, Message, NotFound
from markets.models import Venue

NAME_LENGTH_MAX = 32


@transaction.atomic
def confirm_network(
    *,
    venue: Venue,
    network: str,
    venue_name: str,
    user: Person | None,
    clock: Clock = SYSTEM_CLOCK,
) -> VenueNetwork:
    """Write down that a venue means one of our networks by a name.

    Args:
        venue: which.
        network: any name of the network; ours is kept.
        venue_name: the venue's name of it, to the letter.
        user: who looked it up.
        clock: tells when.

    Raises:
        Denied: not a member of staff.
        InvalidInput: a name is empty or too long.
        NetworkNameTaken: one of the names is confirmed already.
    """
    person = require_staff(user)
    ours, theirs = canonical_network(network), venue_name.strip()
    for field, text in (("network", ours), ("venue_name", theirs)):
        if not 0 < len(text) <= NAME_LENGTH_MAX:
            complaint = Message(
                "Give a name of 1 to {maximum} characters.", {"maximum": NAME_LENGTH_MAX}
            )
            raise InvalidInput(fields={field: [complaint]})
    row = VenueNetwork(venue=venue, network=ours, venue_name=theirs, confirmed_by_id=person.pk)
    try:
        with transaction.atomic():
            row.save(force_insert=True)
    except IntegrityError:
        raise NetworkNameTaken(venue=venue.code, network=ours, name=theirs) from None
    _record(row, "confirm", user=person, clock=clock)
    return row


@transaction.atomic
def forget_network(*, network_id: int, user: Person | None, clock: Clock = SYSTEM_CLOCK) -> None:
    """Take back what was confirmed: nothing is sent on the network until it is confirmed anew.

    Raises:
        Denied: not a member of staff.
        NotFound: there is no such line.
    """
    person = require_staff(user)
    rows = VenueNetwork.objects.select_related("venue").select_for_update(of=("self",))
    row = rows.filter(pk=network_id).first()
    if row is None:
        raise NotFound("No confirmed network has the id {id}.", id=network_id)
    _record(row, "forget", user=person, clock=clock)
    row.delete()


def _record(row: VenueNetwork, event: str, *, user: Person, clock: Clock) -> None:
    values = {"network": row.network, "venue_name": row.venue_name}
    is_new = event == "confirm"
    write_change(
        kind=RuleKind.NETWORK,
        target_id=row.pk,
        name=str(row),
        event=event,
        before={} if is_new else values,
        after=values if is_new else {},
        user=user,
        clock=clock,
    )
