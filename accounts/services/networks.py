"""What venues call our networks: a person confirms it before funds go there."""

import logging

from django.db import IntegrityError, transaction

from accounts.domain.networks import canonical_network
from accounts.domain.rules import RuleKind
from accounts.errors import NetworkNameTaken, NetworkNotListed
from accounts.models import VenueNetwork
from accounts.selectors import get_account_with_secrets, list_accounts
from accounts.services.accounts import open_gateway
from accounts.services.history import Person, require_staff, write_change
from arbplatform.core.clock import SYSTEM_CLOCK, Clock
from arbplatform.core.errors import ArbError, InvalidInput, Message, NotFound
from markets.models import Venue

logger = logging.getLogger(__name__)

NAME_LENGTH_MAX = 32
NAMES_SHOWN_MAX = 50


def confirm_network(
    *,
    venue: Venue,
    network: str,
    venue_name: str,
    user: Person | None,
    clock: Clock = SYSTEM_CLOCK,
) -> VenueNetwork:
    """Write down that a venue means one of our networks by a name.

    Where the venue tells which networks it has, it is asked: never call this in a transaction.

    Args:
        venue: which.
        network: any name of the network; ours is kept.
        venue_name: the venue's name of it, to the letter.
        user: who looked it up.
        clock: tells when.

    Raises:
        Denied: not a member of staff.
        InvalidInput: a name is empty or too long.
        NetworkNotListed: the venue has no network of this name.
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
    _check_listed(venue, theirs, ours)
    row = VenueNetwork(venue=venue, network=ours, venue_name=theirs, confirmed_by_id=person.pk)
    try:
        with transaction.atomic():
            row.save(force_insert=True)
            _record(row, "confirm", user=person, clock=clock)
    except IntegrityError:
        raise NetworkNameTaken(venue=venue.code, network=ours, name=theirs) from None
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


def _check_listed(venue: Venue, name: str, network: str) -> None:
    """Refuse a name that the venue does not have; those that may mean the network come first."""
    names = _list_names(venue)
    if not names or name in names:
        return
    likely = sorted(names, key=lambda each: (canonical_network(each) != network, each))
    shown = ", ".join(likely[:NAMES_SHOWN_MAX])
    text = Message(NetworkNotListed.summary, {"venue": venue.code, "name": name, "names": shown})
    raise NetworkNotListed(fields={"venue_name": [text]}, venue=venue.code, name=name, names=shown)


def _list_names(venue: Venue) -> frozenset[str]:
    """Return the venue's names of its networks; none where it does not tell, or not now.

    A person has looked the name up: what keeps the venue from telling does not keep them.
    """
    account = list_accounts().filter(venue=venue, is_enabled=True).first()
    if account is None:
        return frozenset()
    try:
        gateway = open_gateway(get_account_with_secrets(account.pk))
        return frozenset(state.network for state in gateway.fetch_networks(None))
    except ArbError:
        logger.warning("%s did not tell its networks", venue.code, exc_info=True)
        return frozenset()


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
