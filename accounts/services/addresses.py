"""The address book: where funds may be sent to, and who agreed to it.

An entry is proposed by one member of staff and approved by another one; it can be used when a
cooling time has passed after that. Its address never changes: a new one is a new entry. Between
venues on this machine, which are simulated, a proposed entry is enough, and the first transfer
proposes it.
"""

import logging
from datetime import timedelta
from typing import Final

from django.conf import settings
from django.db import IntegrityError, transaction

from accounts.domain.addresses import (
    ADDRESS_TRANSITIONS,
    BLOCKED_STATES,
    MISMATCH,
    OWN_REASONS,
    REPLACED,
    AddressEvent,
    AddressState,
    is_same_place,
)
from accounts.domain.networks import canonical_network, is_on_network, needs_tag
from accounts.domain.rules import RuleKind
from accounts.errors import (
    AddressBlocked,
    AddressChanged,
    AddressCooling,
    AddressUnapproved,
    NetworkUnconfirmed,
)
from accounts.models import AddressEntry, AddressStateChoice, VenueAccount
from accounts.selectors import (
    find_address,
    get_account_with_secrets,
    lock_address,
    map_network_names,
)
from accounts.services.accounts import is_simulated, open_gateway
from accounts.services.history import (
    Person,
    check_reason,
    require_second_person,
    require_staff,
    write_change,
)
from accounts.services.routes import Route
from arbplatform.core.clock import SYSTEM_CLOCK, Clock
from arbplatform.core.errors import IllegalTransition, InvalidInput, Message
from arbplatform.persistence.sentences import keep_words
from arbplatform.wording import untranslated
from markets.domain.funds import DepositAddress
from markets.selectors import get_asset

logger = logging.getLogger(__name__)

LABEL_LENGTH_MAX: Final = 64


def propose_address(
    *,
    account_id: int,
    asset: str,
    network: str = "",
    label: str,
    address: str = "",
    user: Person | None,
    clock: Clock = SYSTEM_CLOCK,
) -> AddressEntry:
    """Propose where an account receives an asset, as its venue states it now.

    An entry that holds until now is revoked by it.

    Args:
        account_id: receives.
        asset: its code.
        network: any name of the network; empty only for venues that name none.
        label: what people call it.
        address: what the person expects; must be what the venue states. Empty: not checked.
        user: who proposes it.
        clock: tells when.

    Raises:
        Denied: not a member of staff.
        InvalidInput: no label, a missing tag, or not the address that the venue states.
        NetworkUnconfirmed: nobody has said what the venue calls the network.
        AccountNotFound, AccountDisabled, VenueDisabled, NotFound: something is not there.
        VenueError: the venue did not tell.
    """
    author = require_staff(user)
    account = get_account_with_secrets(account_id)
    wanted = canonical_network(network)
    entry = AddressEntry(
        account=account,
        asset=get_asset(asset),
        network=wanted,
        label=_check_label(label),
        proposed_by_id=author.pk,
    )
    name = _name_at(account, wanted, network)
    stated = open_gateway(account).fetch_deposit_address(asset, name)
    if not is_on_network(stated.network, network=wanted, venue_name=name):
        complaint = Message("The venue gives an address on {found}.", {"found": stated.network})
        raise InvalidInput(fields={"network": [complaint]})
    _check_stated(stated, wanted, expected=address.strip())
    entry.address, entry.tag = stated.address, stated.tag or ""
    return _write(entry, author, clock)


@transaction.atomic
def approve_address(
    *, entry_id: int, user: Person | None, clock: Clock = SYSTEM_CLOCK
) -> AddressEntry:
    """Agree to an address that somebody else proposed; it can be used after the cooling time.

    Raises:
        AddressNotFound: no entry has this id.
        Denied: not a member of staff.
        SecondPersonNeeded: the author of the entry may not approve it.
        IllegalTransition: it is not a proposed one.
    """
    entry = lock_address(entry_id)
    approver = require_second_person(user, entry.proposed_by_id)
    if entry.state != AddressState.PROPOSED:
        raise IllegalTransition(
            "The address {entry} is {state}: only one that was proposed can be approved.",
            entry=str(entry),
            state=Message(entry.get_state_display()),
        )
    now = clock.now()
    values = {
        "approved_by_id": approver.pk,
        "approved_at": now,
        "usable_at": now + timedelta(hours=settings.TRANSFER_COOLING_HOURS),
    }
    return _step(entry, AddressEvent.APPROVE, user=approver, clock=clock, values=values)


@transaction.atomic
def revoke_address(
    *, entry_id: int, reason: str, user: Person | None, clock: Clock = SYSTEM_CLOCK
) -> AddressEntry:
    """Take an address out of use at once; one person is enough for that.

    Nothing that was not sent yet is sent there any more.

    Raises:
        AddressNotFound: no entry has this id.
        Denied: not a member of staff.
        InvalidInput: there is no reason.
        IllegalTransition: it is revoked already.
    """
    person = require_staff(user)
    why = check_reason(reason)
    entry = lock_address(entry_id)
    if entry.state == AddressState.REVOKED:
        raise IllegalTransition("The address {entry} is revoked already.", entry=str(entry))
    kept = keep_words(why, OWN_REASONS)
    return _step(entry, AddressEvent.REVOKE, user=person, clock=clock, reason=kept)


def require_address(
    *,
    source: VenueAccount,
    target: VenueAccount,
    asset: str,
    route: Route,
    user: Person | None = None,
    clock: Clock = SYSTEM_CLOCK,
) -> AddressEntry:
    """Return the entry that allows to send to what the venue states now.

    Called before a transfer is written down, and again just before it is sent. An address that
    differs suspends the entry, which stays so also though this raises.

    Args:
        source: sends.
        target: receives.
        asset: its code.
        route: with what the receiving venue states now.
        user: who asked for the transfer.
        clock: tells the time.

    Raises:
        AddressUnapproved, AddressCooling, AddressBlocked: the entry cannot be used.
        AddressChanged: the venue states another address than the approved one.
    """
    is_test = is_simulated(source.venue) and is_simulated(target.venue)
    entry = find_address(account_id=target.pk, asset=asset, network=route.way.network)
    if entry is None:
        if not is_test:
            raise _unapproved(target, asset, route)
        entry = _propose_automatically(target, asset, route, user, clock)
    if entry.state in BLOCKED_STATES:
        raise AddressBlocked(
            entry=str(entry),
            state=untranslated(AddressStateChoice(entry.state).label),
            reason=entry.to_reason(),
        )
    if not is_same_place((entry.address, entry.tag), (route.address, route.tag)):
        _suspend(entry.pk, route, clock)
        raise AddressChanged(venue=target.venue.code, entry=str(entry))
    if not is_test:
        _require_approval(entry, target, asset, route, clock)
    return entry


def _require_approval(
    entry: AddressEntry, target: VenueAccount, asset: str, route: Route, clock: Clock
) -> None:
    if entry.state != AddressState.APPROVED or entry.usable_at is None or not entry.approved_at:
        raise _unapproved(target, asset, route)
    if not entry.is_usable(clock.now()):
        raise AddressCooling(
            entry=str(entry),
            approved_at=f"{entry.approved_at:%Y-%m-%d %H:%M} UTC",
            usable_at=f"{entry.usable_at:%Y-%m-%d %H:%M} UTC",
        )


def _unapproved(target: VenueAccount, asset: str, route: Route) -> AddressUnapproved:
    return AddressUnapproved(account=str(target), asset=asset, network=route.way.network or "–")


@transaction.atomic
def _suspend(entry_id: int, route: Route, clock: Clock) -> None:
    entry = lock_address(entry_id)
    if not ADDRESS_TRANSITIONS.can(AddressState(entry.state), AddressEvent.SUSPEND):
        return  # somebody else saw it too
    logger.error("%s is suspended: %s", entry, MISMATCH)
    after = {"stated_address": route.address, "stated_tag": route.tag}
    _step(entry, AddressEvent.SUSPEND, user=None, clock=clock, reason=MISMATCH, seen=after)


def _propose_automatically(
    target: VenueAccount, asset: str, route: Route, user: Person | None, clock: Clock
) -> AddressEntry:
    """Propose what a simulated venue states, in the name of who asked for the transfer."""
    entry = AddressEntry(
        account=target,
        asset=get_asset(asset),
        network=route.way.network,
        address=route.address,
        tag=route.tag,
        label=str(target)[:LABEL_LENGTH_MAX],
        proposed_by_id=None if user is None else user.pk,
    )
    try:
        return _write(entry, user, clock)
    except IntegrityError:  # another transfer was faster
        found = find_address(account_id=target.pk, asset=asset, network=route.way.network)
        if found is None:
            raise
        return found


@transaction.atomic
def _write(entry: AddressEntry, user: Person | None, clock: Clock) -> AddressEntry:
    place = {"account_id": entry.account_id, "asset_id": entry.asset_id, "network": entry.network}
    current = AddressEntry.objects.exclude(state=AddressState.REVOKED)
    for old in current.filter(**place).select_for_update(of=("self",)):
        _step(old, AddressEvent.REVOKE, user=user, clock=clock, reason=REPLACED)
    entry.save(force_insert=True)
    _record(entry, AddressEvent.PROPOSE, before={}, user=user, clock=clock, reason="")
    return entry


def _step(
    entry: AddressEntry,
    event: AddressEvent,
    *,
    user: Person | None,
    clock: Clock,
    reason: str = "",
    values: dict[str, object] | None = None,
    seen: dict[str, str] | None = None,
) -> AddressEntry:
    before = {"state": entry.state}
    entry.state = ADDRESS_TRANSITIONS.next_state(AddressState(entry.state), event)
    entry.reason = reason
    for name, value in (values or {}).items():
        setattr(entry, name, value)
    entry.save()
    _record(entry, event, before=before, user=user, clock=clock, reason=reason, seen=seen)
    return entry


def _record(
    entry: AddressEntry,
    event: AddressEvent,
    *,
    before: dict[str, str],
    user: Person | None,
    clock: Clock,
    reason: str,
    seen: dict[str, str] | None = None,
) -> None:
    after = {"state": str(entry.state), "address": entry.address, "tag": entry.tag, **(seen or {})}
    write_change(
        kind=RuleKind.ADDRESS,
        target_id=entry.pk,
        name=str(entry)[:200],
        event=event.value,
        before=before,
        after=after,
        reason=reason,
        user=user,
        clock=clock,
    )


def _name_at(account: VenueAccount, wanted: str, typed: str) -> str | None:
    """Return what the venue calls the network."""
    names = map_network_names(account.venue_id)
    if wanted in names:
        return names[wanted]
    if is_simulated(account.venue):
        return typed.strip() or None
    raise NetworkUnconfirmed(
        venue=account.venue.code, network=wanted or "–", names=", ".join(sorted(names)) or "–"
    )


def _check_label(label: str) -> str:
    text = " ".join(label.split())
    if not 0 < len(text) <= LABEL_LENGTH_MAX:
        complaint = Message(
            "Give a name of 1 to {maximum} characters.", {"maximum": LABEL_LENGTH_MAX}
        )
        raise InvalidInput(fields={"label": [complaint]})
    return text


def _check_stated(stated: DepositAddress, network: str, *, expected: str) -> None:
    if expected and not is_same_place((expected, ""), (stated.address, "")):
        complaint = Message("The venue states another address now. Look at its own page.")
        raise InvalidInput(fields={"address": [complaint]})
    if not stated.tag and needs_tag(asset=stated.asset, network=network):
        complaint = Message("The venue gives no tag, but this network needs one.")
        raise InvalidInput(fields={"network": [complaint]})
