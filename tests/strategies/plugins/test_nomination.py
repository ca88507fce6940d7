"""What is nominated against what is decided: no yes of a decision without one of its nominator."""

from dataclasses import dataclass
from decimal import Decimal as D
from random import Random
from typing import Any

import pytest

from markets.domain.book import Book
from markets.domain.fees import FeeMode
from markets.domain.rules import MarketRules
from strategies.plugins.cross_venue import CrossVenue, CrossVenueParams
from strategies.plugins.triangular import Triangular, TriangularParams
from strategies.sdk import Intent, MarketKey
from tests.strategies.builders import make_book, make_rules, make_view

MIDS = {
    "BTC/USDT": D(100),
    "ETH/USDT": D(10),
    "ETH/BTC": D("0.1"),
    "XRP/BTC": D("0.01"),
    "XRP/USDT": D(1),
}
VENUES = ("alpha", "beta", "gamma")
ASSETS = ("BTC", "ETH", "USDT", "XRP")
PAIRED = [MarketKey(venue, symbol) for venue in VENUES for symbol in ("BTC/USDT", "ETH/USDT")]
CYCLIC = [MarketKey(venue, symbol) for venue in ("alpha", "beta") for symbol in MIDS]
CHANGES = 30


def random_terms(random: Random) -> dict[str, Any]:
    choices = {
        "min_edge_bps": ("0", "5", "20"),
        "max_edge_bps": ("30", "500"),
        "min_profit": ("0", "0.01", "0.5"),
        "participation": ("0.5", "1"),
        "depth": (1, 20),
    }
    return {name: random.choice(values) for name, values in choices.items()}


def seldom(random: Random, usual: Any, *odd: Any) -> Any:
    """Return what is usual, or once in a while something odd."""
    return random.choice(odd) if random.random() < 0.1 else usual


def random_rules(keys: list[MarketKey], random: Random) -> list[MarketRules]:
    """Return rules with any fee, in any coin; now and then a market is not active.

    Lots may be fine or coarse, orders may have a least and a largest size, and who takes may even
    be paid for it.
    """
    return [
        make_rules(
            *key,
            mode=random.choice(list(FeeMode)),
            fee=random.choice(("0", "0.0001", "0.001", "-0.0002")),
            lot=seldom(random, "0.001", "0.00000001", "0.3"),
            tick=random.choice(("0.000001", "0.00001")),
            quantity_min=seldom(random, "0", "0.002", "1"),
            quantity_max=seldom(random, None, "3", "40"),
            notional_min=seldom(random, "0", "10"),
            is_active=random.random() < 0.95,
        )
        for key in keys
    ]


def random_book(key: MarketKey, random: Random) -> Book:
    """Return a book near the usual price; it may be locked, thin or empty on one side.

    What stands at the best price may be as good as nothing, or even nothing.
    """
    bid = MIDS[key.symbol] * (1 + D(random.randint(-30, 30)) / 10_000)
    ask = bid * (1 + D(random.choice((0, 1, 2, 5, 40))) / 10_000)
    steps = [D(n) / 2000 for n in range(random.randint(1, 3))]
    sizes = [seldom(random, random.choice((1, 5, 400)), "0.0000001", 0) for _ in steps]
    return make_book(
        *key,
        bids=[
            (bid * (1 - s), size)
            for s, size in zip(steps, sizes, strict=True)
            if random.random() < 0.95
        ],
        asks=[
            (ask * (1 + s), size)
            for s, size in zip(steps, sizes, strict=True)
            if random.random() < 0.95
        ],
    )


@dataclass
class Tally:
    evaluations: int = 0
    intents: int = 0
    yes: int = 0


def play(plugin: Any, keys: list[MarketKey], random: Random, tally: Tally) -> None:
    """Tell of every change, evaluate after some: a new intent needs a nomination in between."""
    rules = random_rules(keys, random)
    nominator = plugin.nominator({MarketKey(item.venue, item.symbol): item for item in rules})
    free = {(venue, asset): 10_000 for venue in VENUES for asset in ASSETS}
    books: dict[MarketKey, Book] = {}
    answers: dict[MarketKey, bool] = {}
    known: tuple[Intent, ...] = ()
    for key in [*keys, *random.choices(keys, k=CHANGES)]:
        answers.pop(key, None)
        if books.pop(key, None) and random.random() < 0.1:
            nominator.drop(key)
        else:
            book = books[key] = random_book(key, random)
            bid, ask = (float(side[0].price) if side else 0.0 for side in (book.bids, book.asks))
            answers[key] = nominator.update(key, bid, ask)
            tally.yes += answers[key]
        intents = plugin.evaluate(make_view(list(books.values()), rules, free)).intents
        tally.evaluations += 1
        tally.intents += bool(intents)
        touched = {MarketKey(leg.venue, leg.symbol) for intent in intents for leg in intent.legs}
        if key in touched:
            assert answers[key], "an intent with a market whose change was answered with no"
        if random.random() < 0.5:
            assert any(answers.values()) or all(intent in known for intent in intents)
            known, answers = intents, {}


@pytest.mark.parametrize("seed", range(5))
def test_no_cross_venue_intent_goes_unnominated(seed):
    random, tally = Random(seed), Tally()  # noqa: S311 - made-up books
    for _ in range(12):
        most = D(random.choice((50, 5000)))
        params = CrossVenueParams(
            symbols=("BTC/USDT", "ETH/USDT"), max_notional=most, **random_terms(random)
        )
        play(CrossVenue(params), PAIRED, random, tally)

    assert tally.evaluations / 10 < tally.intents, tally
    assert tally.yes < tally.evaluations, tally


@pytest.mark.parametrize("seed", range(5))
def test_no_triangular_intent_goes_unnominated(seed):
    random, tally = Random(seed), Tally()  # noqa: S311 - made-up books
    for _ in range(12):
        most = D(random.choice((50, 5000)))
        starts = random.choice((("USDT",), ("USDT", "BTC"), ("XRP",)))
        params = TriangularParams(
            assets=ASSETS,
            start_assets=starts,
            max_start_amount=most,
            legs_max=random.choice((3, 4)),
            **random_terms(random),
        )
        play(Triangular(params), CYCLIC, random, tally)

    assert tally.evaluations / 50 < tally.intents, tally
    assert tally.yes < tally.evaluations, tally
