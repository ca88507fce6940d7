"""What a strategy's configuration amounts to: its plugin, its markets and their rules."""

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from threading import Lock
from typing import Any

from accounts.models import VenueAccount
from markets.domain.rules import MarketRules
from markets.models import Market
from markets.selectors import list_rules
from strategies.errors import NotReadyToStart, UnsuitableAccounts
from strategies.models import Strategy
from strategies.registry import get_plugin, validate_params
from strategies.sdk import MarketKey, Scope, StrategyPlugin
from strategies.selectors import list_markets_of
from strategies.services.pegs import concerning, list_references

SETUPS_MAX = 64
"""Setups that one process remembers; the least recently used one is dropped first."""


@dataclass(frozen=True, slots=True)
class Setup:
    """A strategy made ready to be evaluated.

    Attributes:
        plugin: with the strategy's parameters.
        accounts: by venue code; one per venue.
        markets: every subscribed market.
        rules: of every subscribed market.
        references: markets that say whether the pegs of its assets hold.
    """

    plugin: StrategyPlugin[Any]
    accounts: Mapping[str, VenueAccount]
    markets: Mapping[MarketKey, Market]
    rules: Mapping[MarketKey, MarketRules]
    references: Sequence[Market] = ()


def check_accounts(*, slug: str, accounts: Sequence[VenueAccount]) -> None:
    """Check that ``accounts`` suit the strategy type ``slug``.

    Raises:
        UnsuitableAccounts: two of them are at one venue, or there are too few or too many.
    """
    plugin = get_plugin(slug)
    venues = [account.venue.code for account in accounts]
    for venue in venues:
        if venues.count(venue) > 1:
            raise UnsuitableAccounts(
                "Two of the accounts are at the venue {venue}. Choose one account per venue.",
                venue=venue,
            )
    if len(venues) < plugin.venues_min:
        raise UnsuitableAccounts(
            "The strategy type {type} trades on at least {number} venues, but accounts at "
            "{given} were chosen. Add accounts at other venues.",
            type=slug,
            number=plugin.venues_min,
            given=len(venues),
        )
    if plugin.venues_max is not None and len(venues) > plugin.venues_max:
        raise UnsuitableAccounts(
            "The strategy type {type} trades on at most {number} venues, but accounts at "
            "{given} were chosen. Remove some.",
            type=slug,
            number=plugin.venues_max,
            given=len(venues),
        )


def build_setup(strategy: Strategy) -> Setup:
    """Return what ``strategy`` trades with, read anew.

    Raises:
        InvalidParams: the stored parameters do not suit the installed plugin (any more).
        UnsuitableAccounts: nor do the accounts.
        NotReadyToStart: its venues list none of the markets that it asks for.
    """
    params = validate_params(strategy.type, strategy.params)
    accounts = list(strategy.accounts.all())
    check_accounts(slug=strategy.type, accounts=accounts)
    venues = tuple(account.venue.code for account in accounts)
    plugin = get_plugin(strategy.type)(params)
    rules = {MarketKey(*key): value for key, value in list_rules(venues).items()}
    active = {key: value for key, value in rules.items() if value.is_active}
    wanted = plugin.subscriptions(Scope(venues=venues, rules=active))
    markets = list_markets_of([key for key in wanted if key in active])
    if not markets:
        raise NotReadyToStart(
            "The strategy {name} cannot start: {venues} list none of the markets that its "
            "parameters name. Correct the parameters or synchronise the venues.",
            name=strategy.name,
            venues=", ".join(venues),
        )
    return Setup(
        plugin=plugin,
        accounts={account.venue.code: account for account in accounts},
        markets=markets,
        rules={key: active[key] for key in markets},
        references=concerning(
            list_references(),
            {code for key in markets for code in (active[key].base, active[key].quote)},
        ),
    )


class SetupCache:
    """Setups of running strategies, so that a tick does not read every market again.

    A setup is good as long as run and venues are the same and no venue was synchronised or
    edited since: a change of any of them gives another key.
    """

    def __init__(self, size_max: int = SETUPS_MAX) -> None:
        self._size_max = size_max
        self._lock = Lock()
        self._setups: OrderedDict[tuple[object, ...], Setup] = OrderedDict()

    def get(self, strategy: Strategy, run_id: int) -> Setup:
        """Return the setup of ``strategy`` in its run ``run_id``, built if need be."""
        accounts = list(strategy.accounts.all())
        key = (
            strategy.pk,
            run_id,
            *(
                (account.pk, account.updated_at, account.venue.updated_at, account.venue.synced_at)
                for account in accounts
            ),
        )
        with self._lock:
            known = self._setups.get(key)
            if known is not None:
                self._setups.move_to_end(key)
                return known
        built = build_setup(strategy)
        with self._lock:
            self._setups[key] = built
            while len(self._setups) > self._size_max:
                self._setups.popitem(last=False)
        return built

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._setups.clear()


SETUPS = SetupCache()
