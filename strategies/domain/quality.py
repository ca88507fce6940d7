"""What an intent rests on, looked at once more by the risk gate: its books, its coins, its orders.

A plugin may judge the same things by its own parameters. This gate does not ask whether it did.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
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
    """What an intent was made from.

    Attributes:
        view: books and rules.
        clock_offsets_ms: our clock minus that of a venue, where it was measured [ms].
        pegs: every reference market of the assets that the strategy trades.
    """

    view: MarketView
    clock_offsets_ms: Mapping[str, int] = field(default_factory=dict)
    pegs: Sequence[Peg] = ()


def deny_grounds(intent: Intent, *, limits: Limits, grounds: Grounds) -> Denial | None:
    """Return what forbids an intent because of what it rests on; ``None`` when nothing does."""
    case = _Case(intent, limits, grounds)
    for check in _CHECKS:
        denial = next(check(case), None)
        if denial is not None:
            return denial
    return None


class _Case:
    """An intent with what it rests on, looked up once for all checks."""

    __slots__ = ("books", "grounds", "intent", "keys", "limits", "proofs")

    def __init__(self, intent: Intent, limits: Limits, grounds: Grounds) -> None:
        self.intent, self.limits, self.grounds = intent, limits, grounds
        self.keys = list(dict.fromkeys(MarketKey(leg.venue, leg.symbol) for leg in intent.legs))
        books = grounds.view.books
        self.books = [(key, books[key]) for key in self.keys if key in books]
        offsets = grounds.clock_offsets_ms
        self.proofs = [proof_of(book, offsets.get(book.venue)) for _key, book in self.books]

    def rules_of(self, leg: LegIntent) -> MarketRules:
        return self.grounds.view.rules[MarketKey(leg.venue, leg.symbol)]


def _check_markets(case: _Case) -> Iterator[Denial]:
    view = case.grounds.view
    for key in case.keys:
        if key not in view.rules or not view.rules[key].is_active:
            yield make_denial("market_suspended", symbol=key.symbol, venue=key.venue)
        elif key not in view.books:
            yield make_denial("book_missing", symbol=key.symbol, venue=key.venue)


def _check_crossed(case: _Case) -> Iterator[Denial]:
    for key, book in case.books:
        bid, ask = book.best_bid, book.best_ask
        if bid is not None and ask is not None and book.is_crossed:
            yield make_denial(
                "book_crossed", symbol=key.symbol, venue=key.venue, bid=bid.price, ask=ask.price
            )


def _check_age(case: _Case) -> Iterator[Denial]:
    limit = case.limits.book_age_ms_max
    for (key, _book), proof in zip(case.books, case.proofs, strict=True):
        age_ms = case.grounds.view.now_ms - proof.proven_at_ms
        if limit is not None and abs(age_ms) > limit:
            yield make_denial(
                "book_stale",
                symbol=key.symbol,
                venue=key.venue,
                value=age_ms,
                proof=SENTENCES[proof.by],
                limit=limit,
            )


def _check_skew(case: _Case) -> Iterator[Denial]:
    """Refuse books that may never have been true at the same moment, by more than the limit.

    One that has stood still for long and was proven just now was true when the other changed.
    """
    limit = case.limits.book_skew_ms_max
    newest_ms = max((proof.told_at_ms for proof in case.proofs), default=0)
    skew_ms = newest_ms - min((proof.proven_at_ms for proof in case.proofs), default=0)
    if limit is not None and skew_ms > limit:
        yield make_denial("books_skewed", value=skew_ms, limit=limit)


def _check_tickers(case: _Case) -> Iterator[Denial]:
    """Compare what venues ask for the same symbol: too far apart, and it is not the same coin."""
    limit = case.limits.ticker_gap_bps_max
    books = case.books if limit is not None else []
    for (one, first), (other, second) in combinations(books, 2):
        if one.symbol != other.symbol:
            continue
        gap = max(_gap_bps(first, second), _gap_bps(second, first))
        if limit is not None and gap > limit:
            yield make_denial(
                "ticker_mismatch",
                symbol=one.symbol,
                venue=one.venue,
                other=other.venue,
                value=gap,
                limit=limit,
            )


def _check_pegs(case: _Case) -> Iterator[Denial]:
    limit = case.limits.depeg_bps_max
    if limit is None:
        return
    rules = [case.rules_of(leg) for leg in case.intent.legs]
    traded = {code for item in rules for code in (item.base, item.quote)}
    for peg in case.grounds.pegs:
        if not traded & {peg.base, peg.quote}:
            continue
        age_ms = case.grounds.view.now_ms - peg.measured_at_ms
        if peg.mid is None or age_ms > PEG_AGE_MS_MAX:
            yield make_denial("peg_unknown", symbol=peg.symbol, venue=peg.venue)
        elif peg.off_bps > limit:
            yield make_denial(
                "depeg",
                symbol=peg.symbol,
                venue=peg.venue,
                price=peg.mid,
                value=peg.off_bps,
                limit=limit,
            )


def _check_orders(case: _Case) -> Iterator[Denial]:
    """Refuse locally, before any leg is sent, what a venue would refuse of one of them."""
    for leg in case.intent.legs:
        rules = case.rules_of(leg)
        named = {"symbol": leg.symbol, "venue": leg.venue}
        if leg.quantity <= 0 or not is_multiple(leg.quantity, rules.lot):
            yield make_denial("quantity_off_lot", **named, value=leg.quantity, limit=rules.lot)
        if leg.limit_price <= 0 or not is_multiple(leg.limit_price, rules.tick):
            yield make_denial("price_off_tick", **named, value=leg.limit_price, limit=rules.tick)
        if leg.quantity < rules.quantity_min:
            yield make_denial(
                "quantity_below_min", **named, value=leg.quantity, limit=rules.quantity_min
            )
        if rules.quantity_max is not None and leg.quantity > rules.quantity_max:
            yield make_denial(
                "quantity_above_max", **named, value=leg.quantity, limit=rules.quantity_max
            )
        notional = leg.quantity * leg.limit_price
        if notional < rules.notional_min:
            yield make_denial(
                "notional_below_min", **named, value=notional, limit=rules.notional_min
            )


_CHECKS: Sequence[Callable[[_Case], Iterator[Denial]]] = (
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
    ask, bid = low.best_ask, high.best_bid
    if ask is None or bid is None or ask.price <= 0:
        return ZERO
    return max(ZERO, (bid.price / ask.price - ONE) * BPS_PER_UNIT)
