"""Why an opportunity is not taken: every reason a strategy can give, in one list.

The code is for machines and never changes its meaning; the sentence says what was found, what was
asked for and what that leaves to do. Sentences are templates, translated before they are filled.
"""

from collections.abc import Iterable, Mapping
from decimal import ROUND_FLOOR, Decimal

from arbplatform.core.decimals import Bps, floor_to_step, to_plain
from arbplatform.core.errors import Message
from strategies.domain.intents import Rejection

REJECTIONS_MAX = 20
"""Rejections that one evaluation returns at most: those nearest to a trade."""

REASONS: Mapping[str, str] = {
    "too_few_venues": (
        "{symbol} is traded on fewer than two of the chosen venues. Add a venue or drop the symbol."
    ),
    "no_cycle": (
        "{venue} has no three markets between the chosen assets that lead back to a start asset. "
        "Add assets."
    ),
    "no_book": "No order book of {symbol} on {venue} could be had in this tick.",
    "market_inactive": "{venue} does not trade {symbol} at present.",
    "book_without_asks": "Nobody sells {symbol} on {venue}: its order book has no asks.",
    "book_without_bids": "Nobody buys {symbol} on {venue}: its order book has no bids.",
    "book_stale": (
        "The order book of {symbol} on {venue} is {age_ms} ms old; {age_ms_max} ms are allowed."
    ),
    "book_crossed": (
        "The order book of {symbol} on {venue} is broken: its best bid {bid} is not below its best "
        "ask {ask}."
    ),
    "book_broken": (
        "The order book of {symbol} on {venue} is broken: its prices are not positive or not in "
        "order."
    ),
    "books_skewed": (
        "The order books were taken {skew_ms} ms apart; {skew_ms_max} ms are allowed."
    ),
    "edge_below_min": (
        "The edge of {edge_bps} bps is below the minimum of {edge_bps_min} bps: prices differ by "
        "{gross_bps} bps, fees take {fees_bps} bps."
    ),
    "edge_too_good": (
        "An edge of {edge_bps} bps is above {edge_bps_max} bps: too good to be true. Check that "
        "it is the same asset on every side, then raise the cap if it is real."
    ),
    "profit_below_min": (
        "The best size earns {profit} {asset} ({edge_bps} bps of {notional}); the minimum is "
        "{profit_min} {asset}."
    ),
    "edge_lost_to_lots": (
        "The edge of {edge_bps} bps does not survive rounding to lots and minimum sizes: up to "
        "{quantity} {base} could be traded, {lot} {base} is one lot on {venue}."
    ),
    "balance_too_low": (
        "Only {free} {asset} may be used on {venue}; the smallest possible order takes about "
        "{needed} {asset}. Move funds there."
    ),
    "limit_too_low": (
        "At most {limit} {asset} may be spent on one arbitrage; the smallest possible order on "
        "{venue} takes about {needed} {asset}. Raise the limit."
    ),
    "size_below_min": (
        "Only {quantity} {base} can be traded at a profit on {venue}; its smallest order is "
        "{quantity_min} {base}."
    ),
}

_SHOWN_DIGITS = 8
_SHOWN_BPS = Decimal("0.01")
_KEPT_BPS = Decimal("1e-8")


def reject(subject: str, code: str, /, edge_bps: Bps | None = None, **context: object) -> Rejection:
    """Return a rejection with the sentence that belongs to its code.

    Args:
        subject: what was looked at.
        code: one of ``REASONS``.
        edge_bps: the edge at hand [bps]; also a value of the sentence.
        context: values of the sentence's other placeholders.
    """
    if edge_bps is not None:
        edge_bps = context["edge_bps"] = floor_to_step(edge_bps, _KEPT_BPS)
    shown = {
        name: _show(name, value) if isinstance(value, Decimal) else value
        for name, value in context.items()
    }
    return Rejection(subject, code, Message(REASONS[code], shown), edge_bps)


def nearest(rejections: Iterable[Rejection]) -> tuple[Rejection, ...]:
    """Return at most ``REJECTIONS_MAX`` rejections, those with the highest edge first.

    What had no edge yet (a missing book, for instance) hides edges, so it comes before all others,
    but takes no more than half of the room from them.
    """
    unseen: list[Rejection] = []
    seen: list[tuple[Bps, str, Rejection]] = []
    for rejection in rejections:
        if rejection.edge_bps is None:
            unseen.append(rejection)
        else:
            seen.append((-rejection.edge_bps, rejection.subject, rejection))
    seen.sort(key=lambda item: item[:2])
    room = max(REJECTIONS_MAX // 2, REJECTIONS_MAX - len(seen))
    kept = (*unseen[:room], *(item[2] for item in seen))
    return kept[:REJECTIONS_MAX]


def _show(name: str, value: Decimal) -> str:
    """Return a figure as a person wants to read it: rounded down, no exponent."""
    if "bps" in name:
        return to_plain(value.quantize(_SHOWN_BPS, ROUND_FLOOR))
    if not value or value == value.to_integral_value():
        return to_plain(value)
    digits = max(_SHOWN_DIGITS - value.adjusted() - 1, 0)
    return to_plain(value.quantize(Decimal(1).scaleb(-digits), ROUND_FLOOR))
