"""What the risk gate refuses because of what an intent rests on."""

from dataclasses import replace
from decimal import Decimal as D

import pytest

from markets.domain.book import Look
from markets.domain.orders import Side
from strategies.domain.proofs import ProvenBy, proof_of
from strategies.domain.quality import (
    PEG_AGE_MS_MAX,
    Grounds,
    Peg,
    deny_grounds,
)
from strategies.domain.risk import DENIALS, Limits
from strategies.models import Reason
from strategies.sdk import ExecutionMode, Intent, LegIntent
from tests.strategies.builders import NOW_MS, make_book, make_rules, make_view

EVERY = Limits(
    book_age_ms_max=1_000,
    book_skew_ms_max=500,
    ticker_gap_bps_max=D(1_000),
    depeg_bps_max=D(50),
)


def make_leg(venue="alpha", side=Side.BUY, symbol="BTC/USDT", quantity="1", limit_price="100"):
    return LegIntent(venue, symbol, side, D(quantity), D(limit_price), D(0), D(0))


def make_intent(*legs):
    return Intent(
        "test",
        legs or (make_leg(), make_leg("beta", Side.SELL)),
        ExecutionMode.PARALLEL,
        D(20),
        D(100),
        D(1),
        "USDT",
    )


def book_of(venue, bid="99", ask="101", at_ms=NOW_MS, **more):
    return replace(make_book(venue, bids=[(bid, 5)], asks=[(ask, 5)], at_ms=at_ms), **more)


def grounds_of(*books, rules=(), offsets=None, pegs=()):
    books = books or (book_of("alpha"), book_of("beta"))
    rules = rules or (make_rules("alpha"), make_rules("beta"))
    return make_view(books, rules, {}), Grounds(offsets or {}, pegs)


def code_of(seen, intent=None, limits=EVERY):
    view, grounds = seen
    denial = deny_grounds(intent or make_intent(), view=view, limits=limits, grounds=grounds)
    return None if denial is None else denial.code


def test_sound_grounds_are_denied_nothing():
    assert code_of(grounds_of()) is None


def test_a_market_that_is_suspended_or_gone_is_not_traded():
    suspended = (make_rules("alpha"), make_rules("beta", is_active=False))

    assert code_of(grounds_of(rules=suspended)) == "market_suspended"
    assert code_of(grounds_of(rules=(make_rules("alpha"),))) == "market_suspended"


def test_a_leg_without_a_book_is_not_traded():
    assert code_of(grounds_of(book_of("alpha"))) == "book_missing"


def test_a_crossed_book_is_not_traded_whatever_the_limits():
    crossed = grounds_of(book_of("alpha", bid="101", ask="101"), book_of("beta"))

    assert code_of(crossed, limits=Limits()) == "book_crossed"


@pytest.mark.parametrize(("age_ms", "code"), [(1_000, None), (1_001, "book_stale")])
def test_a_book_of_the_past_or_of_the_future_is_stale_beyond_the_limit(age_ms, code):
    for at_ms in (NOW_MS - age_ms, NOW_MS + age_ms):
        books = grounds_of(book_of("alpha", at_ms=at_ms), book_of("beta", at_ms=at_ms))
        assert code_of(books) == code


@pytest.mark.parametrize(("apart_ms", "code"), [(500, None), (501, "books_skewed")])
def test_books_of_different_moments_are_not_compared(apart_ms, code):
    books = grounds_of(book_of("alpha"), book_of("beta", at_ms=NOW_MS - apart_ms))

    assert code_of(books) == code
    assert code_of(books, limits=replace(EVERY, book_skew_ms_max=None)) is None


def live_of(venue, *, heard_ago_ms=0, changed_ago_ms=None, asked_ago_ms=None, made_ago_ms=None):
    """Return a live book, each of its moments so long ago; its connection lives."""
    look = None if asked_ago_ms is None else Look(NOW_MS - asked_ago_ms, None)
    if look is not None and made_ago_ms is not None:
        look = look._replace(made_at_ms=NOW_MS - made_ago_ms)
    return book_of(
        venue,
        heard_at_ms=NOW_MS - heard_ago_ms,
        venue_time_ms=None if changed_ago_ms is None else NOW_MS - changed_ago_ms,
        look=look,
    )


def test_a_live_book_is_as_young_as_what_its_own_market_said():
    """A sign of life of its connection says nothing: one market's stream may stand still."""
    proof = proof_of(live_of("alpha", heard_ago_ms=1_001), None)

    assert proof == (NOW_MS - 1_001, NOW_MS - 1_001, ProvenBy.STREAM)
    frozen = grounds_of(live_of("alpha", heard_ago_ms=1_001), live_of("beta"))
    assert code_of(frozen) == "book_stale"
    # and what it said may have been on its way for long
    late = live_of("alpha", heard_ago_ms=0, changed_ago_ms=900)
    assert proof_of(late, 0).proven_at_ms == NOW_MS - 900


@pytest.mark.parametrize(
    ("asked_ago_ms", "made_ago_ms", "offset_ms", "age_ms", "by"),
    [
        (300, 200, 0, 300, ProvenBy.LOOK),  # never later than it was asked for
        (300, 400, 0, 400, ProvenBy.LOOK),  # an answer that was some moments old
        (300, 60_000, 0, 50_000, ProvenBy.STREAM),  # out of a store
        (300, 5_300, 5_000, 300, ProvenBy.LOOK),  # the venue's clock is 5 s behind ours
        (300, None, 0, 50_000, ProvenBy.STREAM),  # it does not say how old it is
        (300, 200, None, 55_000, ProvenBy.STREAM),  # nobody knows what the venue's clock says
    ],
)
def test_a_look_at_a_quiet_market_proves_it_as_of_then(
    asked_ago_ms, made_ago_ms, offset_ms, age_ms, by
):
    heard_ago_ms = 55_000 if offset_ms is None else 50_000
    quiet = live_of(
        "alpha", heard_ago_ms=heard_ago_ms, asked_ago_ms=asked_ago_ms, made_ago_ms=made_ago_ms
    )

    assert proof_of(quiet, offset_ms) == (NOW_MS - heard_ago_ms, NOW_MS - age_ms, by)


def test_a_book_that_was_read_over_rest_is_of_the_moment_when_we_had_it():
    read = book_of("alpha", look=Look(NOW_MS - 300, NOW_MS - 200))

    assert proof_of(read, 0) == (NOW_MS, NOW_MS, ProvenBy.READ)


def test_the_denial_of_an_old_book_says_what_its_age_is_told_by():
    proven = live_of("alpha", heard_ago_ms=50_000, asked_ago_ms=1_200, made_ago_ms=1_100)
    view, grounds = grounds_of(proven, live_of("beta"), offsets={"alpha": 0})

    denial = deny_grounds(make_intent(), view=view, limits=EVERY, grounds=grounds)

    assert denial is not None
    assert str(denial.message) == (
        "The order book of BTC/USDT from alpha is 1200 ms old: so long ago a look over REST showed "
        "the same; 1000 ms are allowed."
    )


@pytest.mark.parametrize(("other_ago_ms", "code"), [(9_000, None), (400, None), (399, "skewed")])
def test_a_book_that_stood_still_is_compared_with_what_was_true_meanwhile(other_ago_ms, code):
    """Proven 900 ms ago, it was true when the other changed before that, or 500 ms later."""
    still = live_of("alpha", heard_ago_ms=60_000, asked_ago_ms=900, made_ago_ms=900)
    other = live_of("beta", heard_ago_ms=other_ago_ms, asked_ago_ms=100, made_ago_ms=100)

    found = code_of(grounds_of(still, other, offsets={"alpha": 0, "beta": 0}))

    assert found == (code and "books_skewed")


def test_a_book_that_was_old_when_it_came_counts_as_old():
    books = (book_of("alpha"), book_of("beta", venue_time_ms=NOW_MS - 800))

    assert code_of(grounds_of(*books)) is None
    assert code_of(grounds_of(*books, offsets={"beta": 0})) == "books_skewed"
    assert code_of(grounds_of(*books, offsets={"beta": 600})) is None


def test_one_name_with_prices_far_apart_may_be_two_coins():
    near = grounds_of(book_of("alpha", ask="100"), book_of("beta", bid="110", ask="111"))
    far = grounds_of(book_of("alpha", ask="100"), book_of("beta", bid="110.01", ask="112"))
    turned = grounds_of(book_of("alpha", bid="110.01", ask="112"), book_of("beta", ask="100"))

    assert code_of(near) is None
    assert code_of(far) == code_of(turned) == "ticker_mismatch"
    assert code_of(far, limits=Limits()) is None


def test_a_book_without_a_side_has_no_price_to_compare():
    one_sided = make_book("beta", asks=[("5", 1)])

    assert code_of(grounds_of(book_of("alpha", bid="4"), one_sided)) is None


def test_different_symbols_are_not_compared():
    dear = replace(book_of("beta", bid="5000", ask="5010"), symbol="ETH/USDT")
    rules = (make_rules("alpha"), make_rules("beta", "ETH/USDT"))
    intent = make_intent(make_leg(), make_leg("beta", Side.SELL, "ETH/USDT"))

    assert code_of(grounds_of(book_of("alpha"), dear, rules=rules), intent) is None


def peg(mid="1", base="USDC", quote="USDT", age_ms=0):
    return Peg(
        "gamma", f"{base}/{quote}", base, quote, None if mid is None else D(mid), NOW_MS - age_ms
    )


@pytest.mark.parametrize(
    ("mid", "code"),
    [("1.005", None), ("0.995", None), ("1.00501", "depeg"), ("0.9949", "depeg"), ("0", "depeg")],
)
def test_a_coin_off_its_peg_by_more_than_half_a_percent_is_not_traded(mid, code):
    assert code_of(grounds_of(pegs=[peg(mid)])) == code


def test_a_peg_that_concerns_none_of_the_coins_forbids_nothing():
    assert code_of(grounds_of(pegs=[peg("0.5", "USDC", "DAI")])) is None


def test_a_peg_that_was_not_measured_lately_is_not_taken_for_granted():
    assert code_of(grounds_of(pegs=[peg(age_ms=PEG_AGE_MS_MAX)])) is None
    assert code_of(grounds_of(pegs=[peg(age_ms=PEG_AGE_MS_MAX + 1)])) == "peg_unknown"
    assert code_of(grounds_of(pegs=[peg(None)])) == "peg_unknown"
    assert peg(None).off_bps == 0


def test_without_a_limit_pegs_forbid_nothing():
    assert code_of(grounds_of(pegs=[peg("0.5")]), limits=Limits()) is None


@pytest.mark.parametrize(
    ("leg", "code"),
    [
        (make_leg(quantity="0"), "quantity_off_lot"),
        (make_leg(quantity="1.05"), "quantity_off_lot"),
        (make_leg(limit_price="100.05"), "price_off_tick"),
        (make_leg(limit_price="0"), "price_off_tick"),
        (make_leg(quantity="0.1"), "quantity_below_min"),
        (make_leg(quantity="9.1"), "quantity_above_max"),
        (make_leg(quantity="0.5", limit_price="99.8"), "notional_below_min"),
        (make_leg(quantity="0.5"), None),
        (make_leg(quantity="9"), None),
    ],
)
def test_what_a_venue_would_refuse_is_refused_before_any_leg_is_sent(leg, code):
    rules = make_rules(
        tick="0.1", lot="0.1", quantity_min="0.2", quantity_max="9", notional_min="50"
    )

    assert code_of(grounds_of(rules=(rules, make_rules("beta"))), make_intent(leg)) == code


def test_every_code_is_a_reason_that_an_opportunity_can_bear():
    assert set(DENIALS) <= set(Reason.values)
