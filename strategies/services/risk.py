"""Risk limits: what is set, how things stand, and who changed what."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields

from django.db import transaction

from arbplatform.authors import keep_author
from arbplatform.core.clock import SYSTEM_CLOCK, Clock
from arbplatform.core.decimals import ONE, Amount, to_plain
from arbplatform.core.errors import InvalidInput, Message
from strategies.domain.quality import Grounds, deny_grounds
from strategies.domain.risk import Denial, Limits, RiskFigures, deny
from strategies.models import RiskLimits, RiskLimitsChange
from strategies.sdk import Intent, MarketView
from strategies.selectors import get_strategy, list_limit_changes, list_risk_limits
from strategies.services.figures import read_figures
from strategies.services.pegs import map_pegs
from strategies.services.runs import Person
from strategies.services.setups import Candidate

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


@dataclass(frozen=True, slots=True)
class RiskGate:
    """What one tick's intents are measured by.

    Attributes:
        limits: of the strategy.
        figures: how things stood when the tick decided.
        grounds: what its intents rest on besides their view.
        symbols: base and quote of each symbol of the strategy.
    """

    limits: Limits
    figures: RiskFigures
    grounds: Grounds
    symbols: Mapping[str, tuple[str, str]]

    def denial_of(self, intent: Intent, view: MarketView) -> Denial | None:
        """Return what forbids ``intent``, which was made from ``view``; ``None``: nothing does."""
        return deny_grounds(intent, view=view, limits=self.limits, grounds=self.grounds) or deny(
            intent, limits=self.limits, figures=self.figures, symbols=self.symbols
        )


def read_risk_gates(
    candidates: Sequence[Candidate], *, clock: Clock = SYSTEM_CLOCK
) -> dict[int, RiskGate]:
    """Return the limits of strategies with the figures that they need, read together.

    Args:
        candidates: strategies that are about to decide.
        clock: tells the time.
    """
    rows = list_risk_limits([each.strategy_id for each in candidates])
    limits = {each.strategy_id: _in_force(rows, each.strategy_id) for each in candidates}
    figures = read_figures(candidates, limits, clock)
    pegged = [each for each in candidates if limits[each.strategy_id].depeg_bps_max is not None]
    pegs = map_pegs(market for each in pegged for market in each.setup.references)
    return {
        each.strategy_id: RiskGate(
            limits=limits[each.strategy_id],
            figures=figures[each.strategy_id],
            grounds=Grounds(
                clock_offsets_ms={
                    account.venue.code: account.venue.clock_offset_ms
                    for account in each.accounts
                    if account.venue.clock_offset_ms is not None
                },
                pegs=[pegs[row.pk] for row in each.setup.references if row.pk in pegs],
            ),
            symbols=each.setup.symbols,
        )
        for each in candidates
    }


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
    rows = list_risk_limits([] if strategy_id is None else [strategy_id])
    mine = next((row for row in rows if row.strategy_id == strategy_id), None)
    own = Limits() if mine is None else _limits_of(mine)
    return LimitsReport(
        strategy_id=strategy_id,
        own=own,
        in_force=_in_force(rows, strategy_id),
        changes=list_limit_changes(_key_of(strategy_id)),
    )


def read_limits(strategy_id: int | None) -> Limits:
    """Return the limits of a strategy: its own, else the defaults that were set, else ours.

    Args:
        strategy_id: whose; ``None``: of one that has none of its own.
    """
    rows = list_risk_limits([] if strategy_id is None else [strategy_id])
    return _in_force(rows, strategy_id)


def _in_force(rows: Sequence[RiskLimits], strategy_id: int | None) -> Limits:
    defaults = next((row for row in rows if row.strategy_id is None), None)
    own = next((row for row in rows if row.strategy_id == strategy_id), None)
    general = DEFAULTS if defaults is None else _limits_of(defaults)
    if own is None:
        return general
    return Limits(
        **{
            name: getattr(general, name) if value is None else value
            for name in LIMIT_NAMES
            for value in (getattr(own, name),)
        }
    )


def _limits_of(row: RiskLimits) -> Limits:
    return Limits(**{name: getattr(row, name) for name in LIMIT_NAMES})


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
    row = lock_limits(strategy_id)
    before = _to_json(row)
    for name in LIMIT_NAMES:
        setattr(row, name, getattr(limits, name))
    row.save()
    after = _to_json(row)
    if before != after:
        RiskLimitsChange.objects.create(
            key=row.key,
            name=strategy.name if strategy else "",
            before=before,
            after=after,
            user_id=user.pk if user is not None else None,
            changed_by=keep_author(user),
            changed_at=clock.now(),
        )
    return row


def lock_limits(strategy_id: int | None) -> RiskLimits:
    """Return the limits of a strategy, or the defaults, that nobody else changes until the commit.

    Where nobody has set any there is a row without any from now on.

    Raises:
        StrategyNotFound: there is none with this id.
    """
    if strategy_id is not None:
        get_strategy(strategy_id)
    row, _is_new = RiskLimits.objects.select_for_update().get_or_create(
        key=_key_of(strategy_id), defaults={"strategy_id": strategy_id}
    )
    return row


def _key_of(strategy_id: int | None) -> str:
    return DEFAULTS_KEY if strategy_id is None else f"strategy:{strategy_id}"


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
