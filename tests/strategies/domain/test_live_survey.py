"""The survey that is told of prices one by one against the one that sees all of them at once."""

from decimal import Decimal as D
from itertools import combinations

from hypothesis import given
from hypothesis import strategies as st

from markets.domain.quote import Ticker
from strategies.domain.live_survey import LiveSurvey
from strategies.domain.scan import survey
from strategies.domain.view import MarketKey
from tests.strategies.builders import NOW_MS, make_rules

MIDS = {"BTC/USDT": D(100), "ETH/USDT": D(10), "ETH/BTC": D("0.1"), "USDC/USDT": D(1)}
KEYS = [MarketKey(venue, symbol) for venue in ("alpha", "beta") for symbol in MIDS]
RULES = {
    key: make_rules(*key, fee="0.0005", is_active=key != MarketKey("beta", "USDC/USDT"))
    for key in KEYS
}
STARTS = ("USDT", "BTC")


def ticker(venue, symbol, shift=0, spread=2, bid=True):
    mid = MIDS.get(symbol, D(1)) * (1 + D(shift) / 10_000)
    half = mid * D(spread) / 20_000
    return Ticker(
        venue,
        symbol,
        bid=mid - half if bid else None,
        ask=mid + half,
        last=None,
        received_at_ms=NOW_MS,
    )


def as_set(found):
    return {(item.kind, item.subject, item.steps, item.edge) for item in found.nominations}


@given(
    changes=st.lists(
        st.tuples(
            st.sampled_from(KEYS), st.integers(-60, 60), st.sampled_from([-1, 1, 5]), st.booleans()
        ),
        max_size=40,
    )
)
def test_what_earns_is_at_any_moment_what_a_scan_would_find(changes):
    live = LiveSurvey(RULES, starts=STARTS)
    newest = {}
    for key, shift, spread, has_bid in changes:
        newest[key] = ticker(key.venue, key.symbol, shift, spread, has_bid)
        live.update([newest[key]])

        scanned = survey(newest.values(), RULES, starts=STARTS)

        assert as_set(live.survey()) == as_set(scanned)
        assert (live.survey().markets, live.survey().pairs) == (scanned.markets, scanned.pairs)


def test_the_highest_edge_comes_first():
    live = LiveSurvey(RULES, starts=STARTS)

    live.update([ticker("alpha", "BTC/USDT"), ticker("beta", "BTC/USDT", 50)])
    live.update([ticker("alpha", "ETH/USDT"), ticker("beta", "ETH/USDT", 90)])

    subjects = [item.subject for item in live.survey().nominations]
    assert subjects == ["ETH/USDT alpha → beta", "BTC/USDT alpha → beta"]


def test_a_market_that_is_lost_earns_nothing_any_more():
    live = LiveSurvey(RULES, starts=STARTS)
    live.update([ticker("alpha", "BTC/USDT"), ticker("beta", "BTC/USDT", 50)])
    assert live.survey().nominations

    live.drop([MarketKey("beta", "BTC/USDT"), MarketKey("beta", "ETH/USDT")])

    assert (live.survey().nominations, live.survey().markets) == ((), 1)


def test_since_when_a_round_trip_stands_is_told_until_it_breaks():
    live = LiveSurvey(RULES, starts=STARTS)
    live.update([ticker("alpha", "BTC/USDT"), ticker("beta", "BTC/USDT", 50)])
    (found,) = live.survey().nominations

    assert live.first_seen_ms([found], 1_000)[found.steps] == 1_000
    assert live.first_seen_ms([found], 2_000)[found.steps] == 1_000
    assert live.first_seen_ms([], 3_000) == {}
    assert live.first_seen_ms([found], 4_000)[found.steps] == 4_000


def test_what_stood_before_the_rules_changed_goes_on_standing():
    before = LiveSurvey(RULES, starts=STARTS)
    before.update([ticker("alpha", "BTC/USDT"), ticker("beta", "BTC/USDT", 50)])
    (found,) = before.survey().nominations
    before.first_seen_ms([found], 1_000)

    after = LiveSurvey(RULES, starts=STARTS, standing_since_ms=before.standing_since_ms)

    assert after.first_seen_ms([found], 2_000) == {found.steps: 1_000}


def test_an_unknown_market_is_passed_over():
    live = LiveSurvey(RULES, starts=STARTS)

    live.update([ticker("gamma", "BTC/USDT"), ticker("alpha", "DOGE/USDT")])

    assert live.survey().markets == 0


def test_a_venue_with_too_many_cycles_is_named_and_its_pairs_are_still_watched():
    assets = [f"A{n}" for n in range(70)]  # 70 x 69 x 68 / 3 directed triangles
    symbols = [f"{a}/{b}" for a, b in combinations(assets, 2)]
    rules = {
        MarketKey(venue, symbol): make_rules(venue, symbol, fee=0)
        for venue, listed in (("dense", symbols), ("alpha", symbols[:1]))
        for symbol in listed
    }
    live = LiveSurvey(rules, starts=STARTS)

    live.update([ticker("dense", "A0/A1"), ticker("alpha", "A0/A1", 50)])

    assert list(live.too_many) == ["dense"]
    assert "more than 50000 ways" in str(live.too_many["dense"])
    assert [item.subject for item in live.survey().nominations] == ["A0/A1 dense → alpha"]
