"""What forbids a strategy to trade at this moment, read just before it would."""

from dataclasses import dataclass

from arbplatform.background.draining import DRAIN
from ledger.services.halts import Wish, read_denials
from strategies.domain.states import StrategyState
from strategies.models import Reason
from strategies.sdk import Intent
from strategies.selectors import list_accounts_of, read_standing


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
        return next((reason for is_denied, reason in checks if is_denied), None)


def read_gate(*, strategy_id: int, venues: frozenset[str]) -> Gate:
    """Return the facts as they are now.

    Args:
        strategy_id: of the strategy.
        venues: codes of the venues that it trades on.
    """
    standing = read_standing(strategy_id)
    accounts = list_accounts_of(strategy_id)
    enabled = {account.venue.code for account in accounts if account.is_enabled}
    denials = read_denials([Wish(account.pk, strategy_id) for account in accounts])
    return Gate(
        is_running=standing.state is StrategyState.RUNNING and not DRAIN.has_begun,
        has_unresolved=standing.has_unresolved,
        has_unfinished=standing.has_unfinished,
        has_held=standing.has_held,
        disabled_venues=frozenset(
            account.venue.code for account in accounts if not account.venue.is_enabled
        ),
        disabled_accounts=venues - enabled,
        halted_venues=frozenset(
            account.venue.code
            for account, denial in zip(accounts, denials, strict=True)
            if denial is not None
        ),
    )
