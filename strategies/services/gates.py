"""What forbids a strategy to trade at this moment, read just before it would."""

from collections.abc import Collection, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from functools import cache

from accounts.models import VenueAccount
from accounts.selectors import list_accounts_with_secrets
from arbplatform.background.draining import DRAIN
from arbplatform.core.clock import Clock
from arbplatform.persistence.sequences import stock_ids
from arbplatform.persistence.vendor import database_vendor
from ledger.domain.orders import LIVE_STATES
from ledger.models import Order
from ledger.services.batches import Statement, Unmet
from ledger.services.halts import Wish, read_denials
from ledger.services.journal import Door, open_doors
from ledger.services.readiness import READINESS, Trader
from ledger.services.waits import WAITS
from strategies.domain.states import StrategyState
from strategies.models import NOT_OVER, Execution, Opportunity, Reason
from strategies.sdk import Intent
from strategies.selectors import Standing, map_accounts, map_standings
from strategies.services.claims import TickClaim
from strategies.services.risk import RiskGate, read_risk_gates
from strategies.services.setups import Candidate, Setup

LEGS_MAX = 8
"""Orders of one execution for which ids are at hand before it is decided on."""

STANDING = "standing"
"""Name of what an execution requires of its strategy when it is written."""

_STANDING_SQL = """
    EXISTS (SELECT 1 FROM strategies_strategy
        WHERE id = %s AND state = 'running' AND tick_token = %s{lock})
    AND NOT EXISTS (SELECT 1 FROM ledger_order WHERE strategy_id = %s AND state IN ({live}))
    AND NOT EXISTS (SELECT 1 FROM strategies_execution WHERE strategy_id = %s
        AND state IN ({not_over}) AND (state <> 'held' OR acknowledged_at IS NULL))
    AND {count} = (SELECT COUNT(*) FROM strategies_strategy_accounts AS used
        JOIN accounts_venueaccount AS account ON account.id = used.venueaccount_id
        JOIN markets_venue AS venue ON venue.id = account.venue_id
        WHERE used.strategy_id = %s AND account.is_enabled AND venue.is_enabled
        AND account.id IN ({accounts}))"""
"""The same as ``Gate``, for the database to look at in the moment of writing.

States are listed as the indexes of rows that are alive have them: SQLite would not use these else.
"""

_LOCK = " FOR KEY SHARE"
"""Keeps engines from taking the strategy before what is written is committed, and waits for one
that is about to."""


@dataclass(frozen=True, slots=True)
class Gate:
    """The facts that a denial rests on.

    Attributes:
        is_running: whether the strategy, and this process, are still meant to trade.
        has_unresolved: whether the end of one of its orders is not known.
        has_unfinished: whether one of its executions is being completed or reversed, or what one
            has moved is not known yet.
        has_held: whether one is held with an exposure that nobody has acknowledged.
        disabled_venues: codes of its venues that are switched off.
        disabled_accounts: codes of the venues where its account is switched off or gone.
        halted_venues: codes of the venues where it may not open anything, by a trading state.
    """

    is_running: bool
    has_unresolved: bool
    has_unfinished: bool
    has_held: bool
    disabled_venues: frozenset[str]
    disabled_accounts: frozenset[str]
    halted_venues: frozenset[str] = frozenset()

    @property
    def is_held_up(self) -> bool:
        """Whether what the strategy did before has to come to its end first."""
        return self.has_unresolved or self.has_held or self.has_unfinished

    def reason_against(self, intent: Intent) -> Reason | None:
        """Return why ``intent`` may not be carried out now; ``None`` when it may."""
        venues = {leg.venue for leg in intent.legs}
        checks = (
            (not self.is_running, Reason.STRATEGY_STOPPING),
            (bool(venues & self.halted_venues), Reason.TRADING_HALTED),
            (self.has_unresolved, Reason.OPEN_UNKNOWN_ORDERS),
            (self.has_held, Reason.HELD_EXPOSURE),
            (self.has_unfinished, Reason.UNFINISHED_EXECUTION),
            (bool(venues & self.disabled_venues), Reason.VENUE_DISABLED),
            (bool(venues & self.disabled_accounts), Reason.ACCOUNT_DISABLED),
        )
        for is_denied, reason in checks:
            if is_denied:
                return reason
        return None


def read_gate(*, strategy_id: int, venues: frozenset[str]) -> Gate:
    """Return the facts as they are now.

    Args:
        strategy_id: of the strategy.
        venues: codes of the venues that it trades on.
    """
    standings = map_standings([strategy_id])
    return _judge({strategy_id: (map_accounts([strategy_id])[strategy_id], venues)}, standings)[
        strategy_id
    ]


def _read_gates(candidates: Sequence[Candidate]) -> dict[int, Gate]:
    standings = map_standings([each.strategy_id for each in candidates])
    return _judge(
        {each.strategy_id: (each.accounts, each.setup.accounts.keys()) for each in candidates},
        standings,
    )


def _judge(
    used: Mapping[int, tuple[Sequence[VenueAccount], AbstractSet[str]]],
    standings: Mapping[int, Standing],
) -> dict[int, Gate]:
    """Return the gates of strategies.

    Args:
        used: accounts and codes of the venues of each.
        standings: how each stands.
    """
    wishes = [Wish(row.pk, pk) for pk, (accounts, _venues) in used.items() for row in accounts]
    denials = iter(read_denials(wishes))
    gates = {}
    for strategy_id, (accounts, venues) in used.items():
        standing = standings[strategy_id]
        enabled = {account.venue.code for account in accounts if account.is_enabled}
        gates[strategy_id] = Gate(
            is_running=standing.state is StrategyState.RUNNING and not DRAIN.has_begun,
            has_unresolved=standing.has_unresolved,
            has_unfinished=standing.has_unfinished,
            has_held=standing.has_held,
            disabled_venues=frozenset(
                account.venue.code for account in accounts if not account.venue.is_enabled
            ),
            disabled_accounts=frozenset(venues - enabled),
            halted_venues=frozenset(
                account.venue.code for account in accounts if next(denials) is not None
            ),
        )
    return gates


@dataclass(frozen=True, slots=True)
class Footing:
    """All that is read before a tick decides, so that nothing has to be read afterwards.

    Attributes:
        setup: of the strategy.
        gate: what forbids to trade.
        risk: limits and the figures that they need.
        accounts: by venue code, with their secrets.
        is_ready: whether the accounts were found equal to their venues.
        doors: the accounts' gateways by account id.
    """

    setup: Setup
    gate: Gate
    risk: RiskGate
    accounts: Mapping[str, VenueAccount]
    is_ready: bool
    doors: Mapping[int, Door] = field(default_factory=dict)

    @property
    def bars_everything(self) -> bool:
        """Whether nothing may be carried out now, whatever the intent."""
        gate, hanging = self.gate, WAITS.hanging()
        is_barred = not self.is_ready or not gate.is_running or gate.is_held_up
        return is_barred or bool(hanging and hanging.issuperset(self.accounts))

    def reason_against(self, intent: Intent) -> Reason | None:
        """Return why ``intent`` may not be carried out, limits left aside."""
        reason = self.gate.reason_against(intent)
        if reason is not None or not self.is_ready:
            return reason or Reason.NOT_RECONCILED
        # of this moment: it would hold the thread for as long as requests may take
        hanging = WAITS.hanging()
        is_hanging = hanging and any(leg.venue in hanging for leg in intent.legs)
        return Reason.VENUE_HANGING if is_hanging else None

    def is_turned_away(self, intent: Intent) -> bool:
        """Return whether others try a venue of ``intent`` that has hung; if not, this one may.

        Asked last of all, as who may and then sends nothing holds up the others for nothing.
        """
        return WAITS.refuse({leg.venue for leg in intent.legs})


def read_footings(candidates: Sequence[Candidate], *, clock: Clock) -> dict[int, Footing]:
    """Return how strategies stand before they decide, read together, by strategy.

    ``require_standing`` makes the database look again in the transaction that writes orders.

    Raises:
        SecretUnreadable: the configured keys do not open the secrets of an account.
    """
    for model, count in ((Opportunity, 1), (Execution, 1), (Order, LEGS_MAX)):
        stock_ids(model, count)
    ids = {each.strategy_id: _account_ids(each.setup) for each in candidates}
    rows = list_accounts_with_secrets({pk for used in ids.values() for pk in used})
    accounts = {row.pk: row for row in rows}
    doors = open_doors(rows)
    gates = _read_gates(candidates)
    risks = read_risk_gates(candidates, clock=clock)
    ready = READINESS.find_ready(
        [Trader(each.run_id, each.started_at, ids[each.strategy_id]) for each in candidates]
    )
    return {
        each.strategy_id: Footing(
            setup=each.setup,
            gate=gates[each.strategy_id],
            risk=risks[each.strategy_id],
            accounts={
                accounts[pk].venue.code: accounts[pk]
                for pk in ids[each.strategy_id]
                if pk in accounts
            },
            is_ready=each.run_id in ready,
            doors={pk: doors[pk] for pk in ids[each.strategy_id] if pk in doors},
        )
        for each in candidates
    }


def _account_ids(setup: Setup) -> list[int]:
    return [account.pk for account in setup.accounts.values()]


def require_standing(claim: TickClaim, account_ids: Collection[int]) -> Statement:
    """Return what must hold for orders to be written: the tick is still ours, and nothing forbids.

    Args:
        claim: of the tick.
        account_ids: accounts that are traded on, each once.

    Raises:
        Unmet: this process is coming to its end.
    """
    if DRAIN.has_begun:
        raise Unmet(STANDING)
    pk = claim.strategy_id
    values = [pk, claim.token, pk, pk, pk, *account_ids]
    sql = _standing_sql(len(account_ids), _LOCK if database_vendor() == "postgresql" else "")
    return Statement(sql, values, requirement=STANDING)


@cache
def _standing_sql(count: int, lock: str) -> str:
    return _STANDING_SQL.format(
        lock=lock,
        live=", ".join(f"'{state.value}'" for state in sorted(LIVE_STATES)),
        not_over=", ".join(f"'{state}'" for state in NOT_OVER),
        count=count,
        accounts=", ".join(["%s"] * count),
    )
