"""A crossed book is broken: it is neither traded on, nor priced by, nor repaired on."""

from decimal import Decimal as D

import pytest

from strategies.domain.risk import Limits
from strategies.services.pegs import measure_pegs
from strategies.services.situations import read_means, read_scene
from tests.strategies.domain.test_quality import book_of, code_of, grounds_of
from tests.strategies.faults.play import tick

pytestmark = pytest.mark.django_db


def test_a_strategy_rejects_a_crossed_book(cross, edge):
    edge["beta"].set_book("BTC/USDT", bids=[("50500", "1")], asks=[("50500", "1")])

    assert tick(cross) is None

    cross.refresh_from_db()
    assert "book_crossed" in {row["code"] for row in cross.last_decision["rejections"]}
    assert edge["alpha"].requests == edge["beta"].requests == []


def test_the_gate_denies_it_whatever_the_limits():
    crossed = grounds_of(book_of("alpha"), book_of("beta", bid="102", ask="101"))

    assert code_of(crossed, limits=Limits()) == "book_crossed"


def test_a_repair_does_not_look_at_a_crossed_book(held, edge):
    edge["alpha"].set_book("BTC/USDT", bids=[("60000", "5")], asks=[("50000", "1")])
    edge["beta"].set_book("BTC/USDT", bids=[("40000", "5")], asks=[("60000", "5")])

    means = read_means(held, read_scene(held))

    assert {index: book.venue for index, book in means.books.items()} == {1: "beta"}


def test_a_peg_is_not_measured_on_a_crossed_book(venues, db):
    venues.add("gamma", symbols=["USDC/USDT"], free={"USDT": "1"})
    venues["gamma"].set_book("USDC/USDT", bids=[("1.01", "5")], asks=[("1.00", "5")])
    assert measure_pegs() == []

    venues["gamma"].set_book("USDC/USDT", bids=[("0.99", "5")], asks=[("1.01", "5")])
    assert [row.mid for row in measure_pegs()] == [D(1)]
