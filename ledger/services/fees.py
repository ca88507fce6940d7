"""Whether a fee that a venue states may be what it took."""

from functools import cached_property

from django.utils import timezone

from arbplatform.core.decimals import ZERO, Amount, Fraction, Price
from ledger.domain.postings import stored_cost
from ledger.models import Order
from ledger.selectors import list_prices, read_purse
from markets.domain.funds import Wallet
from markets.domain.orders import VenueFill
from markets.selectors import list_assets

FEE_FRACTION_MAX = Fraction("0.02")
"""A larger part of what was traded is no fee but a wrong unit, unless the balance shows it."""

OTHER_COIN_FRACTION_MAX = Fraction("0.1")
"""The same of the value of a trade, of a fee in a third coin: prices are of another moment."""

FILL_ID = "fill_id"
"""What names, among the evidence of a doubt, the trade that has no fee yet."""


class FeeJudge:
    """Judges fees, by prices that are read once, and only if a fee is in a third coin."""

    @cached_property
    def _prices(self) -> dict[str, Price]:
        return list_prices(now=timezone.now())

    def is_plausible(self, order: Order, reported: VenueFill) -> bool:
        """Return whether a fee may be what was really taken.

        One in a third coin is compared by value. Where a price is not known, a venue still takes
        no more of a coin than the account holds.

        Args:
            order: with its market.
            reported: one of its executions, whose fee is known.
        """
        fee, asset = abs(reported.fee or ZERO), reported.fee_asset or ""
        if not fee:
            return True
        market, cost = order.market, cost_of(reported)
        traded = {market.base.code: reported.quantity, market.quote.code: cost}
        if asset in traded:
            return fee <= FEE_FRACTION_MAX * traded[asset]
        price, quote_price = self._prices.get(asset), self._prices.get(market.quote.code)
        if price is not None and quote_price is not None:
            return fee * price <= OTHER_COIN_FRACTION_MAX * cost * quote_price
        return fee <= find_held(order.account_id, asset)


def is_fee_known(reported: VenueFill) -> bool:
    """Return whether the venue said what it took: a fee without its asset is no answer."""
    return reported.fee is not None and (reported.fee == ZERO or reported.fee_asset is not None)


def is_in_third_coin(order: Order, reported: VenueFill) -> bool:
    """Return whether a fee is in neither of the coins that were traded."""
    return reported.fee_asset not in (order.market.base.code, order.market.quote.code)


def cost_of(reported: VenueFill) -> Amount:
    """Return what an execution cost or brought [quote]."""
    if reported.cost is not None:
        return reported.cost
    return stored_cost(side=reported.side, price=reported.price, quantity=reported.quantity)


def find_held(account_id: int, code: str) -> Amount:
    """Return what the books say that an account holds of a coin to trade with [units of it]."""
    asset = list_assets().filter(code=code).first()
    return ZERO if asset is None else read_purse(account_id, Wallet.SPOT.value, asset.pk)[0]
