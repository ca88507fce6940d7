"""A decision as JSON, complete enough to be made again from it.

Evidence holds everything that ``evaluate`` could have looked at for one intent: the moment, the
books of its markets with the times we had them, rules, fees, free balances and parameters, and the
intent itself. Of each book it says besides how old the risk gate took it for, and why. Amounts are
decimal strings, so that nothing is lost on the way.
"""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import orjson

from arbplatform.core.decimals import ZERO, to_decimal, to_plain
from arbplatform.core.errors import InvalidInput
from markets.domain.book import Book, Level, Look
from markets.domain.fees import FeeMode, FeeSchedule
from markets.domain.orders import Side
from markets.domain.rules import MarketRules
from strategies.domain.intents import ExecutionMode, Intent, LegIntent
from strategies.domain.proofs import proof_of
from strategies.domain.view import AssetKey, MarketKey, MarketView

VERSION = 1
"""Raised when the form changes, so that old rows are still read the way they were written."""

RULES_KEPT_MAX = 1_024
"""Markets whose rules are kept as JSON, some 0.5 kB each."""

Json = dict[str, Any]


class Evidence(NamedTuple):
    """What a decision was made from, and the decision.

    Attributes:
        view: the part of the view that concerns the intent.
        params: of the strategy, as JSON.
        intent: what was decided.
    """

    view: MarketView
    params: Mapping[str, Any]
    intent: Intent


def to_evidence(
    view: MarketView,
    params: Mapping[str, Any],
    intent: Intent,
    depth: int | None = None,
    *,
    offsets_ms: Mapping[str, int] | None = None,
) -> Json:
    """Return the evidence of a decision as JSON values, for ``to_document``.

    What it says of rules and levels is text already, which only ``orjson`` knows what to do with.

    Args:
        view: what was evaluated.
        params: of the strategy, as JSON.
        intent: what came of it.
        depth: levels of each side of a book to keep; not fewer than the strategy looks at.
            ``None`` keeps all that the view has.
        offsets_ms: our clock minus that of each venue where it was measured [ms].
    """
    offsets_ms = offsets_ms or {}
    keys = list(dict.fromkeys([MarketKey(leg.venue, leg.symbol) for leg in intent.legs]))
    return {
        "version": VERSION,
        "now_ms": view.now_ms,
        "params": dict(params),
        "books": [
            _book_to_json(view.books[key], depth)
            | _proof_to_json(view.books[key], offsets_ms.get(key.venue), view.now_ms)
            for key in keys
        ],
        "rules": [_rules_to_json(view.rules[key]) for key in keys],
        "free": _free_to_json(view, keys),
        "dust": {code: to_plain(amount) for code, amount in sorted(view.dust.items())},
        "intent": intent_to_json(intent),
    }


def from_evidence(evidence: Mapping[str, Any]) -> Evidence:
    """Return what ``to_evidence`` was given, as far as it concerned the intent.

    Raises:
        InvalidInput: not evidence, or of a version that this code does not know.
    """
    if evidence.get("version") != VERSION:
        raise InvalidInput(
            "This evidence has the version {version}; version {known} can be read.",
            version=evidence.get("version"),
            known=VERSION,
        )
    books = [_book_from_json(item) for item in evidence["books"]]
    rules = [_rules_from_json(item) for item in evidence["rules"]]
    view = MarketView(
        now_ms=evidence["now_ms"],
        books={MarketKey(book.venue, book.symbol): book for book in books},
        rules={MarketKey(item.venue, item.symbol): item for item in rules},
        free={
            AssetKey(item["venue"], item["asset"]): to_decimal(item["amount"])
            for item in evidence["free"]
        },
        dust={code: to_decimal(amount) for code, amount in evidence.get("dust", {}).items()},
    )
    return Evidence(view, evidence["params"], intent_from_json(evidence["intent"]))


def _free_to_json(view: MarketView, keys: Sequence[MarketKey]) -> list[Json]:
    """Return what is free of the assets of some markets, each asset once."""
    stated: dict[AssetKey, Json] = {}
    for key in keys:
        rules = view.rules[key]
        for code in (rules.base, rules.quote):
            asset = AssetKey(key.venue, code)
            if asset not in stated:
                amount = to_plain(view.free.get(asset, ZERO))
                stated[asset] = {"venue": key.venue, "asset": code, "amount": amount}
    return list(stated.values())


def _book_to_json(book: Book, depth: int | None) -> Json:
    return {
        "venue": book.venue,
        "symbol": book.symbol,
        "received_at_ms": book.received_at_ms,
        "venue_time_ms": book.venue_time_ms,
        "sequence": book.sequence,
        "heard_at_ms": book.heard_at_ms,
        "look": book.look and book.look._asdict(),
        "bids": _levels_to_json(book.bids[:depth]),
        "asks": _levels_to_json(book.asks[:depth]),
    }


def _proof_to_json(book: Book, offset_ms: int | None, now_ms: int) -> Json:
    proof = proof_of(book, offset_ms)
    return {
        "clock_offset_ms": offset_ms,
        "told_at_ms": proof.told_at_ms,
        "proven_at_ms": proof.proven_at_ms,
        "proven_by": str(proof.by),
        "age_ms": now_ms - proof.proven_at_ms,
    }


def misdated_books(evidence: Mapping[str, Any]) -> list[MarketKey]:
    """Return the books whose stated age does not follow from the moments in the evidence.

    Evidence from before ages were stated has none.
    """
    return [
        MarketKey(item["venue"], item["symbol"])
        for item in evidence["books"]
        if "proven_at_ms" in item
        and not _proof_to_json(
            _book_from_json(item), item["clock_offset_ms"], evidence["now_ms"]
        ).items()
        <= item.items()
    ]


def _levels_to_json(levels: Sequence[Level]) -> orjson.Fragment:
    """Return levels in plain digits, trailing zeros as the venue sent them.

    These are most of the numbers of a decision, and it waits for them: they become text at once.
    """
    text = "],[".join([f'"{price!s}","{quantity!s}"' for price, quantity in levels])
    # digits with an exponent are rare: only then is each number looked at
    if "E" in text:
        plain = [(to_plain(price), to_plain(quantity)) for price, quantity in levels]
        text = "],[".join([f'"{price}","{quantity}"' for price, quantity in plain])
    return orjson.Fragment(f"[[{text}]]" if text else "[]")


def _book_from_json(item: Json) -> Book:
    return Book(
        venue=item["venue"],
        symbol=item["symbol"],
        bids=_levels_from_json(item["bids"]),
        asks=_levels_from_json(item["asks"]),
        received_at_ms=item["received_at_ms"],
        venue_time_ms=item["venue_time_ms"],
        sequence=item["sequence"],
        heard_at_ms=item.get("heard_at_ms"),
        look=None if item.get("look") is None else Look(**item["look"]),
    )


def _levels_from_json(items: list[list[str]]) -> tuple[Level, ...]:
    return tuple(Level(to_decimal(price), to_decimal(quantity)) for price, quantity in items)


@lru_cache(maxsize=RULES_KEPT_MAX)
def _rules_to_json(rules: MarketRules) -> orjson.Fragment:
    """Return rules as JSON, written out once for as long as they stay the same."""
    stated = {
        "venue": rules.venue,
        "symbol": rules.symbol,
        "base": rules.base,
        "quote": rules.quote,
        "tick": to_plain(rules.tick),
        "lot": to_plain(rules.lot),
        "quantity_min": to_plain(rules.quantity_min),
        "quantity_max": None if rules.quantity_max is None else to_plain(rules.quantity_max),
        "notional_min": to_plain(rules.notional_min),
        "maker_fee": to_plain(rules.fees.maker),
        "taker_fee": to_plain(rules.fees.taker),
        "fee_mode": str(rules.fees.mode),
        "is_active": rules.is_active,
    }
    return orjson.Fragment(orjson.dumps(stated))


def _rules_from_json(item: Json) -> MarketRules:
    return MarketRules(
        venue=item["venue"],
        symbol=item["symbol"],
        base=item["base"],
        quote=item["quote"],
        tick=to_decimal(item["tick"]),
        lot=to_decimal(item["lot"]),
        quantity_min=to_decimal(item["quantity_min"]),
        quantity_max=None if item["quantity_max"] is None else to_decimal(item["quantity_max"]),
        notional_min=to_decimal(item["notional_min"]),
        fees=FeeSchedule(
            maker=to_decimal(item["maker_fee"]),
            taker=to_decimal(item["taker_fee"]),
            mode=FeeMode(item["fee_mode"]),
        ),
        is_active=item["is_active"],
    )


def intent_to_json(intent: Intent) -> Json:
    """Return an intent as JSON values; amounts are decimal strings."""
    return {
        "summary": intent.summary,
        "mode": str(intent.mode),
        "edge_bps": to_plain(intent.edge_bps),
        "notional": to_plain(intent.notional),
        "expected_profit": to_plain(intent.expected_profit),
        "profit_asset": intent.profit_asset,
        "sizing": dict(intent.sizing),
        "legs": [leg_to_json(leg) for leg in intent.legs],
    }


def leg_to_json(leg: LegIntent) -> Json:
    """Return a leg as JSON values, exact."""
    return {
        "venue": leg.venue,
        "symbol": leg.symbol,
        "side": str(leg.side),
        "quantity": to_plain(leg.quantity),
        "limit_price": to_plain(leg.limit_price),
        "expected_spent": to_plain(leg.expected_spent),
        "expected_received": to_plain(leg.expected_received),
        "carried": to_plain(leg.carried),
    }


def intent_from_json(item: Json) -> Intent:
    """Return the intent that ``intent_to_json`` was given."""
    return Intent(
        summary=item["summary"],
        legs=tuple(
            LegIntent(
                venue=leg["venue"],
                symbol=leg["symbol"],
                side=Side(leg["side"]),
                quantity=to_decimal(leg["quantity"]),
                limit_price=to_decimal(leg["limit_price"]),
                expected_spent=to_decimal(leg["expected_spent"]),
                expected_received=to_decimal(leg["expected_received"]),
                carried=to_decimal(leg.get("carried", "0")),
            )
            for leg in item["legs"]
        ),
        mode=ExecutionMode(item["mode"]),
        edge_bps=to_decimal(item["edge_bps"]),
        notional=to_decimal(item["notional"]),
        expected_profit=to_decimal(item["expected_profit"]),
        profit_asset=item["profit_asset"],
        sizing=item["sizing"],
    )
