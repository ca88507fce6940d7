"""What is looked at on real books, of many round trips that seem to earn."""

from decimal import Decimal as D

import pytest

from markets.domain.book import Level
from markets.domain.fees import FeeMode
from markets.domain.orders import Side
from strategies.domain.scan import Kind, Nomination, Step, edge_of
from strategies.domain.shortlist import profit_at_top, shortlist
from strategies.domain.view import MarketKey
from tests.strategies.builders import make_book, make_rules

PRICES = {"USDT": D(1), "BTC": D(100)}


class Scene:
    """Best prices of made-up coins on two venues, and the round trips between them."""

    def __init__(self):
        self.tops, self.rules, self.nominations = {}, {}, []

    def add(self, coin, *, edge_bps, quantity):
        """Let a coin be dearer on beta than on alpha, with so much of it at the best prices."""
        steps = []
        for venue, side, price in (
            ("alpha", Side.BUY, D(100)),
            ("beta", Side.SELL, D(100) + D(edge_bps) / 100),
        ):
            key = MarketKey(venue, f"{coin}/USDT")
            level = [Level(price, D(quantity))]
            self.tops[key] = make_book(*key, bids=level, asks=level)
            self.rules[key] = make_rules(*key, fee=0)
            steps.append(Step(key, side))
        edge = edge_of(steps, self.tops, self.rules)
        self.nominations.append(Nomination(Kind.CROSS_VENUE, coin, tuple(steps), edge))

    def shortlist(self, limit, prices=None):
        self.nominations.sort(key=lambda item: -item.edge.net_bps)
        found = shortlist(
            self.nominations,
            tops=self.tops,
            rules=self.rules,
            prices=PRICES if prices is None else prices,
            limit=limit,
        )
        return [item.subject for item in found]


@pytest.fixture
def scene():
    return Scene()


def test_coins_that_only_share_a_name_do_not_crowd_out_what_is_real(scene):
    for number in range(50):
        scene.add(f"FAKE{number}", edge_bps=90_000 + number, quantity=1_000)
    scene.add("REAL", edge_bps=20, quantity=1)

    assert scene.shortlist(limit=3) == ["REAL", "FAKE49", "FAKE48"]


def test_the_highest_profit_is_looked_at_although_many_edges_are_higher(scene):
    for number in range(50):
        scene.add(f"THIN{number}", edge_bps=100 + number, quantity="0.001")
    scene.add("DEEP", edge_bps=10, quantity=5_000)

    assert scene.shortlist(limit=4) == ["THIN49", "DEEP", "THIN48", "THIN47"]


def test_each_is_named_once_and_all_of_few(scene):
    scene.add("ONE", edge_bps=10, quantity=5)
    scene.add("TWO", edge_bps=20, quantity=1)
    scene.add("FAKE", edge_bps=10_000, quantity=1)

    assert scene.shortlist(limit=10) == ["TWO", "ONE", "FAKE"]


@pytest.mark.parametrize(("quantity", "prices"), [(0, PRICES), (7, {})])
def test_without_quantities_or_prices_the_edge_alone_counts(scene, quantity, prices):
    for number in range(4):
        scene.add(f"C{number}", edge_bps=10 * (number + 1), quantity=quantity * number)

    assert scene.shortlist(limit=3, prices=prices) == ["C3", "C2", "C1"]


def round_trip(legs, **options):
    """Return a round trip whose legs are (symbol, side, price, quantity) on one venue."""
    tops, rules, steps = {}, {}, []
    for symbol, side, price, quantity in legs:
        key = MarketKey("alpha", symbol)
        level = [Level(D(price), D(quantity))]
        tops[key] = make_book(*key, bids=level, asks=level)
        rules[key] = make_rules(*key, **options)
        steps.append(Step(key, side))
    edge = edge_of(steps, tops, rules)
    return Nomination(Kind.TRIANGULAR, "way", tuple(steps), edge), tops, rules


def test_the_thinnest_market_of_a_way_around_bounds_what_it_earns():
    """200 USDT buy 2 BTC, which buy 40 ETH, of which 10 can be sold: a quarter, at 5.25."""
    nomination, tops, rules = round_trip(
        [
            ("BTC/USDT", Side.BUY, 100, 2),
            ("ETH/BTC", Side.BUY, "0.05", 40),
            ("ETH/USDT", Side.SELL, "5.25", 10),
        ],
        fee=0,
    )

    assert profit_at_top(nomination, tops, rules) == 10 * D("5.25") - 50


@pytest.mark.parametrize("mode", FeeMode)
def test_fees_count_in_whatever_coin_they_are_taken(mode):
    nomination, tops, rules = round_trip(
        [("BTC/USDT", Side.BUY, 100, 2), ("BTC/USDT", Side.SELL, 100, 2)], fee="0.01", mode=mode
    )
    rate = nomination.edge.net_bps / 10_000 + 1
    spent = {FeeMode.QUOTE: D(202), FeeMode.RECEIVED: D(200), FeeMode.GIVEN: D(202)}[mode]

    profit = profit_at_top(nomination, tops, rules)

    assert profit == pytest.approx(spent * (rate - 1), rel=D("1e-20"))
