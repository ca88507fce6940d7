"""Risk limits: what is set, how things stand, and who changed what."""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

from django.db import transaction

from arbplatform.core.clock import SYSTEM_CLOCK, Clock, to_ms
from arbplatform.core.decimals import ONE, ZERO, Amount, to_decimal, to_plain
from arbplatform.core.errors import InvalidInput, Message
from ledger.selectors import list_holdings, list_prices, pnl_by_asset, start_of_utc_day
from strategies.domain.quality import Grounds, deny_grounds
from strategies.domain.risk import Denial, Limits, RiskFigures, deny
from strategies.models import RiskLimits, RiskLimitsChange, Strategy
from strategies.sdk import Intent, MarketKey, MarketView
from strategies.selectors import (
    LeftOver,
    count_live_orders,
    count_open_executions,
    find_risk_limits,
    get_strategy,
    list_left_overs,
    list_limit_changes,
    sum_executed,
)
from strategies.services.pegs import read_pegs
from strategies.services.runs import Person
from strategies.services.setups import Setup

DEFAULTS = Limits(
    edge_bps_max=Amount(1_000),
    open_executions_max=10,
    book_age_ms_max=5_000,
    book_skew_ms_max=3_000,
    ticker_gap_bps_max=Amount(1_000),
    depeg_bps_max=Amount(50),
)
"""In force as long as nobody has set anything else."""

LIMIT_NAMES = tuple(field.name for field in fields(Limits))
DEFAULTS_KEY = "defaults"

_NEED_PRICES = (
    "day_notional_max",
    "unhedged_max",
    "day_loss_max",
    "order_notional_max",
    "venue_share_max",
    "price_band_bps",
    "unhedged_seconds_max",
    "position_max",
)


@dataclass(frozen=True, slots=True)
class RiskGate:
    """What one tick's intents are measured by.

    Attributes:
        limits: of the strategy.
        figures: how things stood when the tick decided.
        grounds: what its intents rest on.
        symbols: base and quote of each symbol of the strategy.
    """

    limits: Limits
    figures: RiskFigures
    grounds: Grounds
    symbols: Mapping[str, tuple[str, str]]

    def denial_of(self, intent: Intent) -> Denial | None:
        """Return what forbids ``intent``; ``None`` when nothing does."""
        return deny_grounds(intent, limits=self.limits, grounds=self.grounds) or deny(
            intent, limits=self.limits, figures=self.figures, symbols=self.symbols
        )


def read_risk_gate(
    *, strategy: Strategy, setup: Setup, view: MarketView, clock: Clock = SYSTEM_CLOCK
) -> RiskGate:
    """Return the limits of a strategy with the figures that they need.

    Args:
        strategy: as it was read for this tick, with its accounts and their venues.
        setup: what it trades with.
        view: what its intents were made from.
        clock: tells the time.
    """
    limits = read_limits(strategy.pk)
    keys: Mapping[MarketKey, Any] = setup.rules
    venues = [account.venue for account in strategy.accounts.all()]
    is_pegged = limits.depeg_bps_max is not None and bool(setup.references)
    return RiskGate(
        limits=limits,
        figures=_read_figures(strategy.pk, setup, limits, clock),
        grounds=Grounds(
            view=view,
            clock_offsets_ms={
                venue.code: venue.clock_offset_ms
                for venue in venues
                if venue.clock_offset_ms is not None
            },
            pegs=read_pegs(setup.references) if is_pegged else (),
        ),
        symbols={key.symbol: (rules.base, rules.quote) for key, rules in keys.items()},
    )


@dataclass(frozen=True, slots=True)
class LimitsReport:
    """The limits of a strategy, or the defaults.

    Attributes:
        strategy_id: whose; ``None``: the defaults for all.
        own: those that were set for it.
        in_force: what counts for it.
        changes: the newest ones, newest first.
    """

    strategy_id: int | None
    own: Limits
    in_force: Limits
    changes: Sequence[RiskLimitsChange]


def report_limits(*, strategy_id: int | None) -> LimitsReport:
    """Return the limits of a strategy, or the defaults, with their history.

    Raises:
        StrategyNotFound: there is none with this id.
    """
    if strategy_id is not None:
        get_strategy(strategy_id)
    rows = [row for row in find_risk_limits(strategy_id) if row.strategy_id == strategy_id]
    own = Limits(**{name: getattr(rows[0], name) for name in LIMIT_NAMES}) if rows else Limits()
    return LimitsReport(
        strategy_id=strategy_id,
        own=own,
        in_force=read_limits(strategy_id),
        changes=list_limit_changes(_key_of(strategy_id)),
    )


def read_limits(strategy_id: int | None) -> Limits:
    """Return the limits of a strategy: its own, else the defaults that were set, else ours.

    Args:
        strategy_id: whose; ``None``: of one that has none of its own.
    """
    rows = find_risk_limits(strategy_id)
    values: dict[str, Any] = {}
    for name in LIMIT_NAMES:
        own = (value for row in rows if (value := getattr(row, name)) is not None)
        has_defaults = any(row.strategy_id is None for row in rows)
        values[name] = next(own, None if has_defaults else getattr(DEFAULTS, name))
    return Limits(**values)


@transaction.atomic
def save_limits(
    *,
    strategy_id: int | None,
    limits: Limits,
    user: Person | None = None,
    clock: Clock = SYSTEM_CLOCK,
) -> RiskLimits:
    """Set the limits of a strategy, or the defaults, and write down what changed.

    Args:
        strategy_id: whose; ``None``: the defaults for all.
        limits: all of them; ``None`` leaves the default in force, or is no limit.
        user: who asks; ``None``: the platform itself.
        clock: tells the time.

    Raises:
        InvalidInput: a limit is negative, or a share is more than the whole.
        StrategyNotFound: there is none with this id.
    """
    _check(limits)
    strategy = None if strategy_id is None else get_strategy(strategy_id)
    key = _key_of(strategy_id)
    row, _is_new = RiskLimits.objects.select_for_update().get_or_create(
        key=key, defaults={"strategy_id": strategy_id}
    )
    before = _to_json(row)
    for name in LIMIT_NAMES:
        setattr(row, name, getattr(limits, name))
    row.save()
    after = _to_json(row)
    if before != after:
        RiskLimitsChange.objects.create(
            key=key,
            name=strategy.name if strategy else "",
            before=before,
            after=after,
            user_id=user.pk if user is not None else None,
            changed_by=(user.get_username() if user is not None else "") or "system",
            changed_at=clock.now(),
        )
    return row


def _key_of(strategy_id: int | None) -> str:
    return DEFAULTS_KEY if strategy_id is None else f"strategy:{strategy_id}"


def _read_figures(strategy_id: int, setup: Setup, limits: Limits, clock: Clock) -> RiskFigures:
    """Read what the limits need, and nothing else: this is on the way of every order."""

    def is_set(*names: str) -> bool:
        return any(getattr(limits, name) is not None for name in names)

    now = clock.now()
    midnight = start_of_utc_day(now)
    day_notional: Mapping[str, Amount] = {}
    day_result: Mapping[str, Amount] = {}
    left_over: Mapping[str, Amount] = {}
    left_over_seconds: Mapping[str, Amount] = {}
    if is_set("day_notional_max"):
        day_notional = sum_executed(strategy_id=strategy_id, since=midnight)
    if is_set("day_loss_max"):
        day_result = pnl_by_asset(strategy_id=strategy_id, since=midnight)
    if is_set("unhedged_max", "unhedged_seconds_max"):
        rows = list_left_overs(strategy_id=strategy_id, since=midnight)
        left_over = _add_up(rows, lambda _row: ONE)
        left_over_seconds = _add_up(rows, lambda row: _age_s(row, now))
    return RiskFigures(
        prices=list_prices(now=now) if is_set(*_NEED_PRICES) else {},
        day_notional=day_notional,
        open_executions=(
            count_open_executions(strategy_id) if is_set("open_executions_max") else 0
        ),
        left_over=left_over,
        left_over_seconds=left_over_seconds,
        day_result=day_result,
        held=_read_held() if is_set("venue_share_max", "position_max") else {},
        open_orders=(
            count_live_orders([account.pk for account in setup.accounts.values()])
            if is_set("open_orders_max")
            else {}
        ),
    )


def _read_held() -> dict[str, dict[str, Amount]]:
    held: defaultdict[str, dict[str, Amount]] = defaultdict(dict)
    for holding in list_holdings():
        amounts = held[holding.venue]
        amounts[holding.asset] = amounts.get(holding.asset, ZERO) + holding.amount
    return dict(held)


def _add_up(rows: list[LeftOver], weight: Callable[[LeftOver], Amount]) -> dict[str, Amount]:
    """Return left-overs by asset: what one execution bought too much another sold too much."""
    totals: defaultdict[str, Amount] = defaultdict(lambda: ZERO)
    for row in rows:
        factor = weight(row)
        for asset, amount in row.residuals.items():
            totals[asset] += to_decimal(amount) * factor
    return dict(totals)


def _age_s(row: LeftOver, now: datetime) -> Amount:
    return Amount(max(0, to_ms(now) - to_ms(row.created_at))) / 1000


def _check(limits: Limits) -> None:
    problems: dict[str, list[Message]] = {}
    for name in LIMIT_NAMES:
        value = getattr(limits, name)
        if value is not None and value < 0:
            problems[name] = [Message("Give a number that is not below zero.")]
    if limits.venue_share_max is not None and limits.venue_share_max > ONE:
        problems["venue_share_max"] = [Message("Give a share from 0 to 1.")]
    if problems:
        raise InvalidInput(fields=problems)


def _to_json(row: RiskLimits) -> dict[str, str | int | None]:
    values = {name: getattr(row, name) for name in LIMIT_NAMES}
    return {
        name: to_plain(value) if isinstance(value, Amount) else value
        for name, value in values.items()
    }
