"""What an intent rests on, looked at once more by the risk gate: its books, its coins, its orders.

A plugin may judge the same things by its own parameters. This gate does not ask whether it did.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import combinations

from arbplatform.core.decimals import BPS_PER_UNIT, ONE, ZERO, Bps, Price, is_multiple
from markets.domain.book import Book
from markets.domain.rules import MarketRules
from strategies.domain.intents import Intent, LegIntent
from strategies.domain.proofs import SENTENCES, proof_of
from strategies.domain.risk import Denial, Limits, make_denial
from strategies.domain.view import MarketKey, MarketView

PEG_AGE_MS_MAX = 300_000
"""A peg that was measured longer ago is not known."""


@dataclass(frozen=True, slots=True)
class Peg:
    """What a reference market says of two assets that are meant to be worth the same.

    Attributes:
        venue, symbol: the market.
        base, quote: codes of its assets.
        mid: middle of bid and ask [quote per base]; ``None``: never measured.
        measured_at_ms: when [ms since epoch].
    """

    venue: str
    symbol: str
    base: str
    quote: str
    mid: Price | None
    measured_at_ms: int

    @property
    def off_bps(self) -> Bps:
        """Distance of the mid from one to one [bps]."""
        return ZERO if self.mid is None else abs(self.mid - ONE) * BPS_PER_UNIT


@dataclass(frozen=True, slots=True)
class Grounds:
    """What an intent rests on besides the view that it was made from.

    Attributes:
        clock_offsets_ms: our clock minus that of a venue, where it was measured [ms].
        pegs: every reference market of the assets that the strategy trades.
    """

    clock_offsets_ms: Mapping[str, int] = field(default_factory=dict)
    pegs: Sequence[Peg] = ()


def deny_grounds(
    intent: Intent, *, view: MarketView, limits: Limits, grounds: Grounds
) -> Denial | None:
    """Return what forbids an intent because of what it rests on; ``None`` when nothing does.

    Args:
        intent: what a strategy wants.
        view: books and rules that it was made from.
        limits: what it may.
        grounds: what else it rests on.
    """
    case = _Case(intent, view, limits, grounds)
    for check in _CHECKS:
        denial = check(case)
        if denial is not None:
            return denial
    return None


class _Case:
    """An intent with what it rests on, looked up once for all checks.

    Attributes:
        orders: each leg with its market.
        keys: the markets, each once.
        books: of those markets, with up to when each is proven; without those that are missing.
    """

    __slots__ = ("books", "grounds", "keys", "limits", "orders", "view")

    def __init__(self, intent: Intent, view: MarketView, limits: Limits, grounds: Grounds) -> None:
        self.view, self.limits, self.grounds = view, limits, grounds
        self.orders = [(leg, MarketKey(leg.venue, leg.symbol)) for leg in intent.legs]
        self.keys = list(dict.fromkeys([key for _leg, key in self.orders]))
        books, offsets = view.books, grounds.clock_offsets_ms
        self.books = [
            (key, books[key], proof_of(books[key], offsets.get(key.venue)))
            for key in self.keys
            if key in books
        ]


def _check_markets(case: _Case) -> Denial | None:
    rules, books = case.view.rules, case.view.books
    for key in case.keys:
        if key not in rules or not rules[key].is_active:
            return make_denial("market_suspended", symbol=key.symbol, venue=key.venue)
        if key not in books:
            return make_denial("book_missing", symbol=key.symbol, venue=key.venue)
    return None


def _check_crossed(case: _Case) -> Denial | None:
    for key, book, _proof in case.books:
        if book.is_crossed:
            bid, ask = book.bids[0].price, book.asks[0].price
            return make_denial("book_crossed", symbol=key.symbol, venue=key.venue, bid=bid, ask=ask)
    return None


def _check_age(case: _Case) -> Denial | None:
    limit = case.limits.book_age_ms_max
    if limit is None:
        return None
    for key, _book, proof in case.books:
        age_ms = case.view.now_ms - proof.proven_at_ms
        if not -limit <= age_ms <= limit:
            return make_denial(
                "book_stale",
                symbol=key.symbol,
                venue=key.venue,
                value=age_ms,
                proof=SENTENCES[proof.by],
                limit=limit,
            )
    return None


def _check_skew(case: _Case) -> Denial | None:
    """Refuse books that may never have been true at the same moment, by more than the limit.

    One that has stood still for long and was proven just now was true when the other changed.
    """
    limit = case.limits.book_skew_ms_max
    if limit is None:
        return None
    newest_ms = max([proof.told_at_ms for _key, _book, proof in case.books], default=0)
    oldest_ms = min([proof.proven_at_ms for _key, _book, proof in case.books], default=0)
    if newest_ms - oldest_ms > limit:
        return make_denial("books_skewed", value=newest_ms - oldest_ms, limit=limit)
    return None


def _check_tickers(case: _Case) -> Denial | None:
    """Compare what venues ask for the same symbol: too far apart, and it is not the same coin."""
    limit = case.limits.ticker_gap_bps_max
    if limit is None:
        return None
    for (one, first, _proof), (other, second, _other_proof) in combinations(case.books, 2):
        if one.symbol != other.symbol:
            continue
        gap = max(_gap_bps(first, second), _gap_bps(second, first))
        if gap > limit:
            return make_denial(
                "ticker_mismatch",
                symbol=one.symbol,
                venue=one.venue,
                other=other.venue,
                value=gap,
                limit=limit,
            )
    return None


def _check_pegs(case: _Case) -> Denial | None:
    limit = case.limits.depeg_bps_max
    if limit is None or not case.grounds.pegs:
        return None
    rules = [case.view.rules[key] for key in case.keys]
    traded = {code for item in rules for code in (item.base, item.quote)}
    for peg in case.grounds.pegs:
        if not traded & {peg.base, peg.quote}:
            continue
        age_ms = case.view.now_ms - peg.measured_at_ms
        if peg.mid is None or age_ms > PEG_AGE_MS_MAX:
            return make_denial("peg_unknown", symbol=peg.symbol, venue=peg.venue)
        if peg.off_bps > limit:
            return make_denial(
                "depeg",
                symbol=peg.symbol,
                venue=peg.venue,
                price=peg.mid,
                value=peg.off_bps,
                limit=limit,
            )
    return None


def _check_orders(case: _Case) -> Denial | None:
    """Refuse locally, before any leg is sent, what a venue would refuse of one of them."""
    for leg, key in case.orders:
        refusal = _refusal_of(leg, case.view.rules[key])
        if refusal is not None:
            code, value, limit = refusal
            return make_denial(code, symbol=leg.symbol, venue=leg.venue, value=value, limit=limit)
    return None


def _refusal_of(leg: LegIntent, rules: MarketRules) -> tuple[str, Decimal, Decimal] | None:
    """Return what a venue would refuse an order for: a code, what the order says, the limit."""
    quantity, price = leg.quantity, leg.limit_price
    if quantity <= 0 or not is_multiple(quantity, rules.lot):
        return "quantity_off_lot", quantity, rules.lot
    if price <= 0 or not is_multiple(price, rules.tick):
        return "price_off_tick", price, rules.tick
    if quantity < rules.quantity_min:
        return "quantity_below_min", quantity, rules.quantity_min
    if rules.quantity_max is not None and quantity > rules.quantity_max:
        return "quantity_above_max", quantity, rules.quantity_max
    notional = quantity * price
    if notional < rules.notional_min:
        return "notional_below_min", notional, rules.notional_min
    return None


_CHECKS: Sequence[Callable[[_Case], Denial | None]] = (
    _check_markets,
    _check_crossed,
    _check_age,
    _check_skew,
    _check_tickers,
    _check_pegs,
    _check_orders,
)
"""What makes the later ones meaningless comes first."""


def _gap_bps(low: Book, high: Book) -> Bps:
    """Return how far the bids of one book are above the asks of the other; 0 when they are not."""
    if not low.asks or not high.bids:
        return ZERO
    ask, bid = low.asks[0].price, high.bids[0].price
    return (bid / ask - ONE) * BPS_PER_UNIT if bid > ask > 0 else ZERO
