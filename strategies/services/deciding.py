"""From books to a decision and its execution: the one way that every driver takes.

A driver brings books: a tick has fetched them, the engine has them from its feeds. What a decision
rests on besides, what is made of it and what is written down about it is the same code here, so
that the same books lead to the same orders whoever brought them.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from accounts.errors import FundsReserved
from arbplatform.core.clock import Clock, from_ms
from arbplatform.core.decimals import Amount
from ledger.domain.moments import Moments
from ledger.errors import TradingHalted
from ledger.selectors import map_spendable
from ledger.services.batches import Unmet
from markets.domain.book import Book
from markets.errors import VenueDisabled
from markets.models import Market
from strategies.domain.dust import carry_dust
from strategies.models import Decision, Execution, Reason, Run, Strategy
from strategies.sdk import AssetKey, Evaluation, Intent, MarketKey, MarketView
from strategies.selectors import map_dust
from strategies.services.claims import TickClaim, extend_claim
from strategies.services.decisions import BookFailure, Findings
from strategies.services.execution import Engagement, execute_intent
from strategies.services.gates import Footing, read_footings, read_gate
from strategies.services.left_memory import LeftMemory
from strategies.services.opportunities import LeftIntent, Sighting, record_left, route_of
from strategies.services.setups import SETUPS, Candidate, Setup

logger = logging.getLogger(__name__)

EXECUTIONS_PER_DECISION = 1
"""One at a time: the second would be decided on balances and books that the first has changed."""

DECISION_MS_MAX = 1_000
"""So long after its books were looked at nothing is carried out any more [ms]: the process was
paused, or the machine is overloaded, and the books are others by now."""

_Purses = tuple[tuple[str, int], ...]
"""Venue code and account id of each account of a strategy."""


class Superseded(Exception):
    """A book that an intent was made from has changed since; nothing was written or sent."""


@dataclass(frozen=True, slots=True)
class Basis:
    """What a decision rests on besides the books, read at one moment.

    Attributes:
        strategy_id, run_id: who decides.
        footing: setup, gate and limits.
        free: what nobody has set aside [units of the asset].
        dust: what earlier executions left over, by asset code [units of the asset].
        read_at_ms: when the reading began, by the monotonic clock [ms].
    """

    strategy_id: int
    run_id: int
    footing: Footing
    free: Mapping[AssetKey, Amount]
    dust: Mapping[str, Amount]
    read_at_ms: float

    @property
    def setup(self) -> Setup:
        """Plugin, markets and rules of the strategy."""
        return self.footing.setup

    def view(self, books: Mapping[MarketKey, Book], *, now_ms: int) -> MarketView:
        """Return what the plugin sees.

        Args:
            books: those that could be had.
            now_ms: the moment of the decision [ms since epoch].
        """
        return MarketView(
            now_ms=now_ms, books=books, rules=self.setup.rules, free=self.free, dust=self.dust
        )

    def resembles(self, other: "Basis") -> bool:
        """Return whether the same books lead to the same intents here and there.

        The figures that limits are compared with are left aside: they say what of an intent is
        denied, not what intents there are.
        """
        footing, others = self.footing, other.footing
        return (
            self.setup is other.setup
            and footing.is_ready == others.is_ready
            and footing.gate == others.gate
            and footing.risk.limits == others.risk.limits
            and self.free == other.free
            and self.dust == other.dust
        )

    def evaluate(self, view: MarketView) -> Evaluation:
        """Return what the plugin wants, its sales with the dust that they take along."""
        return carry_dust(self.setup.plugin.evaluate(view), view)


def read_basis(*, strategy: Strategy, run: Run, clock: Clock) -> Basis:
    """Return what ``strategy`` decides on, read now.

    A tick reads it before the books: what is read after them makes them older.

    Args:
        strategy: with its accounts and their venues.
        run: its open run.
        clock: tells the time.

    Raises:
        InvalidParams, UnsuitableAccounts, NotReadyToStart: as ``build_setup``.
        SecretUnreadable: the configured keys do not open the secrets of an account.
    """
    setup = SETUPS.get(strategy, run.pk)
    accounts = list(strategy.accounts.all())
    candidate = Candidate(strategy.pk, run.pk, run.started_at, accounts, setup)
    return read_bases([candidate], clock=clock)[strategy.pk]


def read_bases(candidates: Sequence[Candidate], *, clock: Clock) -> dict[int, Basis]:
    """Return what strategies decide on, read now and together, by strategy.

    Args:
        candidates: strategies that are about to decide.
        clock: tells the time.

    Raises:
        SecretUnreadable: the configured keys do not open the secrets of an account.
    """
    read_at_ms = clock.monotonic_ms()
    purses = {each.strategy_id: _purses_of(each.setup) for each in candidates}
    funds = map_spendable({pk for used in purses.values() for _venue, pk in used})
    # strategies on the same accounts share what these have free
    free = {used: _name_funds(used, funds) for used in set(purses.values())}
    dust = map_dust(purses)
    footings = read_footings(candidates, clock=clock)
    return {
        each.strategy_id: Basis(
            each.strategy_id,
            each.run_id,
            footings[each.strategy_id],
            free[purses[each.strategy_id]],
            dust.get(each.strategy_id, {}),
            read_at_ms,
        )
        for each in candidates
    }


def split_markets(setup: Setup) -> tuple[dict[MarketKey, Market], list[BookFailure]]:
    """Return the markets whose books may be asked for, and why the others may not."""
    enabled = {key: market for key, market in setup.markets.items() if market.venue.is_enabled}
    return enabled, [
        BookFailure(key, VenueDisabled(venue=key.venue))
        for key in setup.markets
        if key not in enabled
    ]


def _always(_intent: Intent) -> bool:
    """Answer for books that were fetched for this decision: there are no newer ones."""
    return True


@dataclass(frozen=True, slots=True)
class Turn:
    """One decision that may be carried out.

    Attributes:
        basis: what it rests on besides the books.
        claim: the right to send orders.
        clock: tells the time.
        is_current: whether the books of an intent are still the newest ones.
        moments: filled with when the orders of the last execution passed each step.
        memory: what the driver has had written down about opportunities that were left.
    """

    basis: Basis
    claim: TickClaim
    clock: Clock
    is_current: Callable[[Intent], bool] = _always
    moments: Moments = field(default_factory=Moments)
    memory: LeftMemory | None = None


@dataclass(slots=True)
class Deeds:
    """What was done about an evaluation.

    Attributes:
        executions: what was carried out.
        left: what was not, and why; best first.
        written_count: opportunities that were written down, executed or not.
    """

    executions: list[Execution] = field(default_factory=list)
    left: list[LeftIntent] = field(default_factory=list)
    written_count: int = 0


def carry_out(turn: Turn, view: MarketView, evaluation: Evaluation) -> Deeds:
    """Carry out the best intent that nothing forbids, and write down the others.

    Raises:
        Superseded: the books of the chosen intent have changed; nothing was written or sent.
    """
    if not evaluation.intents:
        return Deeds()
    setup = turn.basis.setup
    sighting = Sighting(
        strategy_id=turn.basis.strategy_id,
        run_id=turn.basis.run_id,
        detected_at=turn.clock.now(),
        view=view,
        params=setup.plugin.params_json,
        depth=setup.plugin.book_depth,
        markets=setup.markets,
        offsets_ms=turn.basis.footing.risk.grounds.clock_offsets_ms,
    )
    chosen, left = _choose(turn, view, evaluation.intents)
    executions = [
        execution
        for intent in chosen
        if (execution := _carry_out(turn, sighting, intent, left)) is not None
    ]
    written_count = _record_left(turn, sighting, left, is_engaged=bool(executions))
    return Deeds(executions, left, len(executions) + written_count)


def _record_left(
    turn: Turn, sighting: Sighting, left: Sequence[LeftIntent], *, is_engaged: bool
) -> int:
    """Write down what was left; return how many rows.

    Once something was carried out, that is told whatever goes wrong with the rest.
    """
    memory = turn.memory
    news = left if memory is None else memory.news(left, sighting.detected_at)
    try:
        return record_left(sighting=sighting, left=news)
    except Exception:
        if memory is not None:
            memory.forget()
        if not is_engaged:
            raise
        logger.exception("what strategy %s left could not be written down", sighting.strategy_id)
        return 0


def findings_of(
    view: MarketView, evaluation: Evaluation, deeds: Deeds, failures: Sequence[BookFailure]
) -> Findings:
    """Return what a decision found, to be described.

    Args:
        view: what was evaluated.
        evaluation: what came of it.
        deeds: what was done about that.
        failures: books that could not be had.
    """
    return Findings(
        at=from_ms(view.now_ms),
        evaluation=evaluation,
        failures=failures,
        executions=deeds.executions,
        left=deeds.left,
    )


def _read_free(setup: Setup) -> dict[AssetKey, Amount]:
    """Return what nobody has set aside, by our own books: exact to the last booked fill."""
    purses = _purses_of(setup)
    return _name_funds(purses, map_spendable([account_id for _venue, account_id in purses]))


def _purses_of(setup: Setup) -> _Purses:
    return tuple((venue, account.pk) for venue, account in setup.accounts.items())


def _name_funds(
    purses: _Purses, funds: Mapping[int, Mapping[str, Amount]]
) -> dict[AssetKey, Amount]:
    return {
        AssetKey(venue, asset): amount
        for venue, account_id in purses
        for asset, amount in funds[account_id].items()
    }


def _choose(
    turn: Turn, view: MarketView, intents: Sequence[Intent]
) -> tuple[list[Intent], list[LeftIntent]]:
    footing = turn.basis.footing
    chosen: list[Intent] = []
    left: list[LeftIntent] = []
    for intent in intents:
        reason = footing.reason_against(intent)
        if reason is not None:
            left.append(LeftIntent(intent, Decision.DENIED, reason))
        elif len(chosen) >= EXECUTIONS_PER_DECISION:
            left.append(LeftIntent(intent, Decision.SKIPPED, Reason.ONE_PER_TICK))
        elif (denial := footing.risk.denial_of(intent, view)) is not None:
            reason = Reason(denial.code)
            left.append(LeftIntent(intent, Decision.DENIED, reason, denial.message))
        elif not extend_claim(turn.claim, clock=turn.clock):
            left.append(LeftIntent(intent, Decision.DENIED, Reason.TICK_LOST))
        else:
            chosen.append(intent)
    return chosen, left


def _carry_out(
    turn: Turn, sighting: Sighting, intent: Intent, left: list[LeftIntent]
) -> Execution | None:
    """Carry out an intent; if its funds were taken in the meantime, what they still allow of it.

    Funds are looked at again once, and the same books are decided on anew: what is too small then
    is not traded.
    """
    try:
        return _try(turn, sighting, intent, left)
    except FundsReserved as denial:
        left.append(LeftIntent(intent, Decision.DENIED, Reason.FUNDS_RESERVED, denial.message))
    view = replace(sighting.view, free=_read_free(turn.basis.setup))
    for smaller in turn.basis.evaluate(view).intents:
        if route_of(smaller) != route_of(intent) or smaller.notional >= intent.notional:
            continue
        chosen, _left = _choose(turn, view, [smaller])
        fresh = replace(sighting, view=view)
        try:
            return _try(turn, fresh, smaller, left) if chosen else None
        except FundsReserved:
            return None
    return None


def _try(
    turn: Turn, sighting: Sighting, intent: Intent, left: list[LeftIntent]
) -> Execution | None:
    if turn.clock.now_ms() - sighting.view.now_ms > DECISION_MS_MAX:
        left.append(LeftIntent(intent, Decision.DENIED, Reason.TICK_LOST))
        return None
    if not turn.is_current(intent):
        raise Superseded
    footing = turn.basis.footing
    if footing.is_turned_away(intent):
        left.append(LeftIntent(intent, Decision.DENIED, Reason.VENUE_HANGING))
        return None
    engagement = Engagement(
        turn.claim,
        footing.setup,
        sighting,
        footing.accounts,
        turn.clock,
        turn.moments,
        footing.doors,
    )
    try:
        return execute_intent(engagement=engagement, intent=intent)
    except TradingHalted:
        reason: Reason | None = Reason.TRADING_HALTED
    except Unmet:
        # something has changed since the gate was read: say what
        venues = frozenset(footing.setup.accounts)
        gate = read_gate(strategy_id=turn.basis.strategy_id, venues=venues)
        reason = gate.reason_against(intent)
    left.append(LeftIntent(intent, Decision.DENIED, reason or Reason.TICK_LOST))
    return None
