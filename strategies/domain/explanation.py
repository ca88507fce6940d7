"""Why no size fits, said with the figures that a person needs to change it."""

from collections.abc import Sequence

from arbplatform.core.decimals import BPS_PER_UNIT, Amount
from markets.domain.orders import Side
from strategies.domain.candidate import CapKind, CappedLeg
from strategies.domain.chain import Chain
from strategies.domain.intents import Rejection
from strategies.domain.optimum import Peak
from strategies.domain.reasons import reject


def explain_cap(item: CappedLeg, *, subject: str) -> Rejection:
    """Return why a leg takes no order at all.

    Args:
        item: a leg whose ladder holds no allowed order.
        subject: names the chain for people.
    """
    rules = item.trade.rules
    if not item.uncapped.prices:
        code = "book_without_asks" if item.trade.side is Side.BUY else "book_without_bids"
        return reject(subject, code, symbol=rules.symbol, venue=rules.venue)
    needed = item.smallest
    if item.trade.spent_asset == rules.quote:
        needed *= item.uncapped.prices[0]
    shortage = _shortage(item, needed * item.leg.factors.spend, subject=subject)
    if shortage is not None:
        return shortage
    return _too_small(item, item.leg.ladder.depth, subject=subject)


def explain_none(
    capped: Sequence[CappedLeg], chain: Chain, peak: Peak, *, subject: str
) -> Rejection:
    """Return why no lots of a chain earn enough, although its best prices promise it.

    Args:
        capped: the legs.
        chain: made of them.
        peak: its best size without lots.
        subject: names the chain for people.
    """
    for item, quantity in zip(capped, peak.quantities, strict=True):
        if quantity >= item.smallest:
            continue
        if peak.limiting_leg is not None and quantity > 0:
            limiting = capped[peak.limiting_leg]
            needed = (limiting.budget or 0) * item.smallest / quantity
            shortage = _shortage(limiting, needed, subject=subject)
            if shortage is not None:
                return shortage
        return _too_small(item, quantity, subject=subject)
    pivot = capped[chain.pivot].trade.rules
    return reject(
        subject,
        "edge_lost_to_lots",
        edge_bps=peak.profit / peak.spent * BPS_PER_UNIT,
        quantity=peak.quantities[chain.pivot],
        base=pivot.base,
        lot=pivot.lot,
        venue=pivot.venue,
    )


def _shortage(item: CappedLeg, needed: Amount, *, subject: str) -> Rejection | None:
    rules = item.trade.rules
    if item.cap is CapKind.BALANCE:
        return reject(
            subject,
            "balance_too_low",
            free=item.budget,
            needed=needed,
            asset=item.trade.spent_asset,
            venue=rules.venue,
        )
    if item.cap is CapKind.SPEND_MAX:
        return reject(
            subject,
            "limit_too_low",
            limit=item.budget,
            needed=needed,
            asset=item.trade.spent_asset,
            venue=rules.venue,
        )
    return None


def _too_small(item: CappedLeg, quantity: Amount, *, subject: str) -> Rejection:
    rules = item.trade.rules
    return reject(
        subject,
        "size_below_min",
        quantity=quantity,
        quantity_min=item.smallest,
        base=rules.base,
        venue=rules.venue,
    )
