"""Create, change and delete strategies."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import IntegrityError, transaction

from accounts.models import VenueAccount
from arbplatform.core.errors import InvalidInput, Message
from strategies.domain.states import StrategyDriver, StrategyState
from strategies.errors import StrategyInUse, StrategyRunning
from strategies.models import INTERVAL_MS_MAX, INTERVAL_MS_MIN, Strategy
from strategies.registry import validate_params
from strategies.selectors import (
    count_orders,
    is_name_taken,
    list_accounts_by_id,
    list_executions,
    lock_strategy,
)
from strategies.services.schedules import delete_schedule
from strategies.services.setups import check_accounts

NAME_LENGTH_MAX = 64
INTERVAL_MS_DEFAULT = 1000
AT_REST = frozenset({StrategyState.STOPPED, StrategyState.FAULTED})
"""States in which a strategy may be edited and deleted."""


@dataclass(frozen=True, slots=True)
class Draft:
    """What a strategy is to be, checked.

    Attributes:
        name: free, without spaces around it.
        slug: an installed strategy type.
        params: complete and valid, as JSON values.
        accounts: suitable ones, with their venues.
        interval_ms: time between two ticks [ms].
        driver: what makes it decide.
    """

    name: str
    slug: str
    params: dict[str, Any]
    accounts: list[VenueAccount]
    interval_ms: int
    driver: StrategyDriver


@transaction.atomic
def create_strategy(
    *,
    name: str,
    slug: str,
    params: Mapping[str, object],
    account_ids: Sequence[int],
    interval_ms: int = INTERVAL_MS_DEFAULT,
    driver: StrategyDriver = StrategyDriver.STREAM,
) -> Strategy:
    """Write down a new strategy, stopped.

    Args:
        name: unique, for people.
        slug: the strategy type.
        params: as the type's schema says; missing ones get their defaults, which are written
            down, so that later defaults do not change this strategy.
        account_ids: the accounts it may use, one per venue.
        interval_ms: time between two ticks [ms].
        driver: what makes it decide.

    Raises:
        UnknownStrategyType: no plugin has this slug.
        InvalidParams: the type's schema does not accept ``params``.
        UnsuitableAccounts: the accounts do not fit the type.
        InvalidInput: name, interval or an account is not acceptable.
    """
    draft = check_strategy(
        name=name,
        slug=slug,
        params=params,
        account_ids=account_ids,
        interval_ms=interval_ms,
        driver=driver,
    )
    return _write(Strategy(), draft)


@transaction.atomic
def update_strategy(
    *,
    strategy_id: int,
    name: str | None = None,
    slug: str | None = None,
    params: Mapping[str, object] | None = None,
    is_params_whole: bool = True,
    account_ids: Sequence[int] | None = None,
    interval_ms: int | None = None,
    driver: StrategyDriver | None = None,
) -> Strategy:
    """Change a strategy that is at rest; what is ``None`` stays.

    Args:
        strategy_id: which.
        name: as in ``create_strategy``, and so are the others.
        slug: the strategy type.
        params: its parameters.
        is_params_whole: whether parameters that ``params`` leaves out get their defaults instead
            of staying as they are; those of another type never stay.
        account_ids: its accounts.
        interval_ms: time between two ticks [ms].
        driver: what makes it decide.

    Raises:
        StrategyNotFound: there is none with this id.
        StrategyRunning: it is running or still stopping.
        InvalidInput: as in ``create_strategy``.
    """
    strategy = lock_strategy(strategy_id)
    _check_at_rest(strategy)
    if params is not None and not is_params_whole and slug in (None, strategy.type):
        params = {**strategy.params, **params}
    draft = check_strategy(
        strategy_id=strategy_id,
        name=strategy.name if name is None else name,
        slug=strategy.type if slug is None else slug,
        params=strategy.params if params is None else params,
        account_ids=(
            list(strategy.accounts.values_list("pk", flat=True))
            if account_ids is None
            else account_ids
        ),
        interval_ms=strategy.interval_ms if interval_ms is None else interval_ms,
        driver=StrategyDriver(strategy.driver) if driver is None else driver,
    )
    return _write(strategy, draft)


@transaction.atomic
def delete_strategy(*, strategy_id: int) -> None:
    """Delete a strategy that never traded, with its runs, logs and schedule.

    Raises:
        StrategyNotFound: there is none with this id.
        StrategyRunning: it is running or still stopping.
        StrategyInUse: it has booked history.
    """
    strategy = lock_strategy(strategy_id)
    _check_at_rest(strategy)
    order_count = count_orders(strategy_id)
    if order_count or list_executions(strategy_id=strategy_id).exists():
        raise StrategyInUse(name=strategy.name, count=order_count)
    delete_schedule(strategy)
    strategy.delete()


def check_strategy(
    *,
    name: str,
    slug: str,
    params: Mapping[str, object],
    account_ids: Sequence[int],
    interval_ms: int,
    driver: StrategyDriver = StrategyDriver.STREAM,
    strategy_id: int | None = None,
) -> Draft:
    """Check what a strategy is to be, without writing anything.

    Args:
        name: as in ``create_strategy``, and so are the others.
        slug: the strategy type.
        params: its parameters.
        account_ids: its accounts.
        interval_ms: time between two ticks [ms].
        driver: what makes it decide.
        strategy_id: of the strategy that is to become this; ``None`` for a new one.

    Raises:
        InvalidInput: as in ``create_strategy``.
    """
    name = name.strip()
    fields: dict[str, list[Message]] = {}
    if not 1 <= len(name) <= NAME_LENGTH_MAX:
        fields["name"] = [
            Message("Give a name of 1 to {max} characters.", {"max": NAME_LENGTH_MAX})
        ]
    elif is_name_taken(name, besides_id=strategy_id):
        fields["name"] = [_name_taken(name)]
    if not INTERVAL_MS_MIN <= interval_ms <= INTERVAL_MS_MAX:
        fields["interval_ms"] = [
            Message(
                "Give a number of milliseconds from {min} to {max}.",
                {"min": INTERVAL_MS_MIN, "max": INTERVAL_MS_MAX},
            )
        ]
    accounts = list_accounts_by_id(account_ids)
    missing = sorted(set(account_ids) - {account.pk for account in accounts})
    if missing:
        fields["accounts"] = [
            Message("No account has the id {ids}.", {"ids": ", ".join(map(str, missing))})
        ]
    if fields:
        raise InvalidInput(fields=fields)
    checked = validate_params(slug, params)
    check_accounts(slug=slug, accounts=accounts)
    return Draft(
        name=name,
        slug=slug,
        params=checked.model_dump(mode="json"),
        accounts=accounts,
        interval_ms=interval_ms,
        driver=driver,
    )


def _check_at_rest(strategy: Strategy) -> None:
    if strategy.state not in AT_REST:
        raise StrategyRunning(name=strategy.name, state=Message(strategy.state))


def _write(strategy: Strategy, draft: Draft) -> Strategy:
    strategy.name = draft.name
    strategy.type = draft.slug
    strategy.params = draft.params
    strategy.interval_ms = draft.interval_ms
    strategy.driver = draft.driver
    try:
        with transaction.atomic():
            strategy.save()
    except IntegrityError:
        # two requests chose the same free name at once: the database let one through
        raise InvalidInput(fields={"name": [_name_taken(draft.name)]}) from None
    strategy.accounts.set(draft.accounts)
    return strategy


def _name_taken(name: str) -> Message:
    return Message(
        "Another strategy is called {name} already. Choose another name.", {"name": name}
    )
