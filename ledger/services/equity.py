"""Record what everything is worth, from time to time."""

from collections.abc import Mapping

from django.conf import settings
from django.utils.translation import gettext_noop as _

from arbplatform.core.clock import SYSTEM_CLOCK, Clock
from arbplatform.core.decimals import ZERO, Amount, Price, to_plain
from ledger.domain.pnl import net_by_asset, value_amounts, value_of
from ledger.models import EquitySnapshot, LogLevel
from ledger.selectors import in_transit, list_equity, list_holdings, pnl_by_asset
from ledger.services.logs import write_log
from ledger.services.prices import refresh_prices
from markets.services.assets import ensure_assets

IN_TRANSIT = None
"""In place of a venue: funds that have left one and not reached another."""

_UNPRICED = _("No price is known for {assets}: the total assets are stated without them.")


def take_snapshot(*, clock: Clock = SYSTEM_CLOCK) -> EquitySnapshot | None:
    """Value everything that the books know, by fresh prices, and keep the result.

    What has no price is listed without a value and is not in the total: it is never taken for
    worthless. Calls venues for prices: not inside a transaction.

    Args:
        clock: tells when.

    Returns:
        The snapshot; ``None`` while the books are empty.
    """
    amounts = _amounts_by_place()
    if not amounts:
        return None
    result = pnl_by_asset()
    totals = net_by_asset((asset, amount) for (_venue, asset), amount in amounts.items())
    prices = refresh_prices(assets={*totals, *result}, clock=clock)
    equity, realised = value_amounts(totals, prices), value_amounts(result, prices)
    _report_unpriced({*equity.unpriced, *realised.unpriced})
    reporting = ensure_assets([settings.REPORTING_ASSET])[settings.REPORTING_ASSET]
    return EquitySnapshot.objects.create(
        taken_at=clock.now(),
        reporting_asset=reporting,
        total=equity.total,
        realised_pnl=realised.total,
        breakdown=[
            _row(venue, asset, amount, prices) for (venue, asset), amount in amounts.items()
        ],
    )


def _amounts_by_place() -> dict[tuple[str | None, str], Amount]:
    """Return what there is by venue code and asset; several accounts at one venue are added up."""
    amounts: dict[tuple[str | None, str], Amount] = {}
    for holding in list_holdings():
        place = (holding.venue, holding.asset)
        amounts[place] = amounts.get(place, ZERO) + holding.amount
    for asset, amount in in_transit().items():
        amounts[IN_TRANSIT, asset] = amount
    return amounts


def _row(
    venue: str | None, asset: str, amount: Amount, prices: Mapping[str, Price]
) -> dict[str, str | None]:
    price = prices.get(asset)
    value = value_of(amount, price)
    if value is None:
        price = None
    return {
        "venue": venue,
        "asset": asset,
        "amount": to_plain(amount),
        "price": None if price is None else to_plain(price),
        "value": None if value is None else to_plain(value),
    }


def _report_unpriced(unpriced: set[str]) -> None:
    """Say which assets have no price, when that was not so the last time."""
    last = list_equity().first()
    known = {row["asset"] for row in last.breakdown if row["price"] is None} if last else set()
    if unpriced - known:
        write_log(
            strategy_id=None,
            level=LogLevel.WARNING,
            event="asset_unpriced",
            template=_UNPRICED,
            assets=", ".join(sorted(unpriced)),
        )
