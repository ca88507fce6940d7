"""Limits of transfers: what is set, who changed it, and what a transfer is worth."""

from collections.abc import Iterator, Mapping
from decimal import ROUND_CEILING

from django.conf import settings
from django.db import transaction

from accounts.domain.limits import (
    DEFAULTS,
    LIMIT_NAMES,
    DayFigures,
    TransferLimits,
    check_limits,
)
from accounts.domain.rules import RuleKind
from accounts.models import Transfer, TransferLimit, VenueAccount
from accounts.selectors import get_account, list_limits, list_requested_values
from accounts.services.accounts import is_simulated, open_gateway
from accounts.services.history import Person, require_staff, write_change
from arbplatform.core.clock import SYSTEM_CLOCK, Clock
from arbplatform.core.decimals import SMALLEST_STORED, ZERO, Amount, to_plain
from arbplatform.core.errors import InvalidInput, Message
from markets.errors import UnknownSymbol, VenueError

ALL_KEY = "all"


@transaction.atomic
def save_limits(
    *,
    account_id: int | None,
    limits: TransferLimits,
    user: Person | None,
    clock: Clock = SYSTEM_CLOCK,
) -> TransferLimit:
    """Set the limits of an account, or those for all, and write down what changed.

    Args:
        account_id: sends; ``None``: for all accounts.
        limits: all of them; ``None`` leaves the one for all in force, or is no limit.
        user: who asks.
        clock: tells the time.

    Raises:
        Denied: not a member of staff.
        InvalidInput: a limit is negative.
        AccountNotFound: no account has this id.
    """
    person = require_staff(user)
    _check(limits)
    account = None if account_id is None else get_account(account_id)
    key = _key_of(account_id)
    row, _is_new = TransferLimit.objects.select_for_update(of=("self",)).get_or_create(
        key=key, defaults={"account": account}
    )
    before = _to_json(row)
    for name in LIMIT_NAMES:
        setattr(row, name, getattr(limits, name))
    row.save()
    after = _to_json(row)
    if before != after:
        write_change(
            kind=RuleKind.LIMITS,
            target_id=account_id,
            name="" if account is None else str(account),
            event="set",
            before=before,
            after=after,
            user=person,
            clock=clock,
        )
    return row


@transaction.atomic
def lock_limits(account_id: int | None) -> Mapping[str, TransferLimit]:
    """Return all limits that are set, by key, which nobody else changes until the commit.

    Where an account, or all of them, had none there is a row without any from now on, that nobody
    else adds one meanwhile; it is not returned. Whoever calls this sets them, or takes all back: a
    row without limits would lift ours.

    Args:
        account_id: whose are to be set; ``None``: those for all.

    Raises:
        AccountNotFound: no account has this id.
    """
    account = None if account_id is None else get_account(account_id)
    key = _key_of(account_id)
    _row, is_new = TransferLimit.objects.get_or_create(key=key, defaults={"account": account})
    # in the order of keys, as transfers lock them
    rows = {row.key: row for row in list_limits().select_for_update(of=("self",))}
    if is_new:
        del rows[key]
    return rows


def read_limits(source: VenueAccount, target: VenueAccount, *, is_locking: bool) -> TransferLimits:
    """Return the limits of an account: its own, else those for all, else ours.

    Ours do not bind transfers between simulated venues.

    Args:
        source: sends.
        target: receives.
        is_locking: whether nobody else may measure by the same limits until the transaction ends.
    """
    rows = TransferLimit.objects.filter(key__in=(ALL_KEY, f"account:{source.pk}")).order_by("key")
    if is_locking:
        rows = rows.select_for_update(of=("self",))
    by_key = {row.key: row for row in rows}
    own, for_all = by_key.get(f"account:{source.pk}"), by_key.get(ALL_KEY)
    is_test = is_simulated(source.venue) and is_simulated(target.venue)
    fallback = for_all or (TransferLimits() if is_test else DEFAULTS)
    values = {name: getattr(fallback, name) for name in LIMIT_NAMES}
    for name in LIMIT_NAMES:
        value = None if own is None or name == "total_day_max" else getattr(own, name)
        values[name] = values[name] if value is None else value
    return TransferLimits(**values)


def require_limits(draft: Transfer, value: Amount | None, *, clock: Clock) -> TransferLimits:
    """Refuse a transfer above a limit; who measures by the same limits waits until the commit.

    Args:
        draft: not written down yet.
        value: of everything that is asked for at once [reporting asset].
        clock: tells which day it is.

    Raises:
        TransferLimitExceeded: a limit is passed.
        TransferUnpriced: a limit is set, and a value is not known.
    """
    limits = read_limits(draft.from_account, draft.to_account, is_locking=True)
    midnight = clock.now().replace(hour=0, minute=0, second=0, microsecond=0)
    today = DayFigures(
        account=_add_up(list_requested_values(midnight, account_id=draft.from_account_id)),
        total=_add_up(list_requested_values(midnight)),
    )
    check_limits(value, limits=limits, today=today, asset=draft.asset.code)
    return limits


def find_value(
    *, source: VenueAccount, target: VenueAccount, asset: str, amount: Amount
) -> Amount | None:
    """Return what an amount is worth now by the dearer side's price [reporting asset].

    Asked at both venues; ``None`` where none has a price. Never raises for a venue's failure: what
    that means is for the limits to say.
    """
    if asset == settings.REPORTING_ASSET:
        return amount
    prices = [price for account in (source, target) for price in _list_prices(account, asset)]
    # up: a limit must not be passed by what rounding leaves out
    return (amount * max(prices)).quantize(SMALLEST_STORED, ROUND_CEILING) if prices else None


def _list_prices(account: VenueAccount, asset: str) -> Iterator[Amount]:
    symbol = f"{asset}/{settings.REPORTING_ASSET}"
    try:
        ticker = open_gateway(account).fetch_ticker(symbol)
    except (VenueError, UnknownSymbol):
        return
    if ticker.last is not None and ticker.last > 0:
        yield ticker.last


def _add_up(values: list[Amount | None]) -> Amount | None:
    """Return the sum, or ``None`` if a part of it is not known."""
    known = [value for value in values if value is not None]
    return sum(known, ZERO) if len(known) == len(values) else None


def _key_of(account_id: int | None) -> str:
    return ALL_KEY if account_id is None else f"account:{account_id}"


def _check(limits: TransferLimits) -> None:
    problems = {
        name: [Message("Give a number that is not below zero.")]
        for name in LIMIT_NAMES
        if (value := getattr(limits, name)) is not None and not (value.is_finite() and value >= 0)
    }
    if problems:
        raise InvalidInput(fields=problems)


def _to_json(row: TransferLimit) -> dict[str, str | None]:
    values = {name: getattr(row, name) for name in LIMIT_NAMES}
    return {name: None if value is None else to_plain(value) for name, value in values.items()}
