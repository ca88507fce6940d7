import json
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal as D
from itertools import pairwise, permutations, product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arbplatform.core.errors import LimitExceeded
from markets.domain.fees import FeeSchedule
from markets.domain.orders import Side
from strategies.domain.cycles import Cycle, CycleIndex, Market, index_cycles, market_of
from strategies.domain.edge import Edge, PricedLeg, fee_factors, round_trip_edge
from strategies.domain.kernels.nominators import CycleNominator, Watch
from strategies.domain.kernels.rates import least_rate
from strategies.domain.view import MarketKey
from tests.strategies.builders import make_rules, recorded

FEES = FeeSchedule(maker=D("0.001"), taker=D("0.001"))


def markets_of(*symbols: str) -> list[Market]:
    return [Market(symbol, *symbol.split("/")) for symbol in symbols]


def try_all_triples(markets: Iterable[Market]) -> set[frozenset[tuple[str, Side]]]:
    """Return every closed walk over three assets, by trying all ordered triples of assets."""
    ways = [(market.quote, market.base, (market.symbol, Side.BUY)) for market in markets] + [
        (market.base, market.quote, (market.symbol, Side.SELL)) for market in markets
    ]
    assets = {asset for market in markets for asset in (market.base, market.quote)}
    return {
        frozenset((one[2], two[2], three[2]))
        for a, b, c in permutations(assets, 3)
        for one in ways
        if one[:2] == (a, b)
        for two in ways
        if two[:2] == (b, c)
        for three in ways
        if three[:2] == (c, a)
    }


@given(
    pairs=st.sets(
        st.tuples(st.sampled_from("ABCDEF"), st.sampled_from("ABCDEF")), min_size=1, max_size=14
    )
)
def test_every_directed_triangle_is_found_once(pairs):
    markets = [Market(f"{base}/{quote}", base, quote) for base, quote in sorted(pairs)]

    found = CycleIndex(markets).cycles

    as_sets = [frozenset((hop.symbol, hop.side) for hop in cycle.hops) for cycle in found]
    assert len(as_sets) == len(set(as_sets))
    assert set(as_sets) == try_all_triples(markets)
    for cycle in found:
        first, second, third = cycle.hops
        assert (first.received, second.received, third.received) == (
            second.spent,
            third.spent,
            first.spent,
        )


def walk_by_force(markets: list[Market], legs: int) -> set[frozenset[tuple[str, Side]]]:
    """Return every closed walk over so many different assets, by trying all sequences of them."""
    ways: dict[tuple[str, str], list[tuple[str, Side]]] = {}
    for symbol, base, quote in markets:
        ways.setdefault((quote, base), []).append((symbol, Side.BUY))
        ways.setdefault((base, quote), []).append((symbol, Side.SELL))
    assets = {asset for market in markets for asset in (market.base, market.quote)}
    return {
        frozenset(taken)
        for walk in permutations(assets, legs)
        for taken in product(
            *(ways.get(pair, ()) for pair in zip(walk, (*walk[1:], walk[0]), strict=True))
        )
    }


@given(
    pairs=st.sets(
        st.tuples(st.sampled_from("ABCDEF"), st.sampled_from("ABCDEF")).filter(
            lambda p: p[0] != p[1]
        ),
        min_size=1,
        max_size=12,
    ),
    legs_max=st.integers(3, 5),
)
def test_every_longer_cycle_is_found_once(pairs, legs_max):
    markets = [Market(f"{base}/{quote}", base, quote) for base, quote in sorted(pairs)]

    found = CycleIndex(markets, legs_max=legs_max).cycles

    as_sets = [frozenset((hop.symbol, hop.side) for hop in cycle.hops) for cycle in found]
    assert len(as_sets) == len(set(as_sets))
    assert set(as_sets) == set().union(*(walk_by_force(markets, n) for n in range(3, legs_max + 1)))
    for cycle in found:
        nexts = (*cycle.hops[1:], cycle.hops[0])
        assert all(
            hop.received == after.spent for hop, after in zip(cycle.hops, nexts, strict=True)
        )


def test_longer_cycles_than_allowed_are_an_error_that_names_the_length():
    markets = markets_of(*(f"{x}/{hub}" for x in "ABCDEFGH" for hub in ("USD", "EUR", "GBP")))

    with pytest.raises(LimitExceeded, match="more than 100 ways around up to 4 of these assets"):
        CycleIndex(markets, cycles_max=100, legs_max=4)


def test_a_search_that_finds_little_is_bounded_too():
    """Five layers in which all are joined with the next, and nothing leads back in time."""
    layers = [[f"L{n}{i}" for i in range(6)] for n in range(9)]
    markets = markets_of(
        *(f"{a}/{b}" for one, next_ in pairwise(layers) for a in one for b in next_)
    )

    with pytest.raises(LimitExceeded):
        CycleIndex(markets, cycles_max=10, legs_max=5)


def test_a_triangle_has_two_directions_that_take_opposite_sides():
    one, other = CycleIndex(markets_of("BTC/USDT", "ETH/USDT", "ETH/BTC")).cycles

    assert {str(one.starting_at("USDT")), str(other.starting_at("USDT"))} == {
        "USDT → BTC → ETH → USDT",
        "USDT → ETH → BTC → USDT",
    }
    sides = {hop.symbol: hop.side for hop in one.hops}
    assert all(sides[hop.symbol] is not hop.side for hop in other.hops)


def test_a_cycle_can_be_entered_at_each_of_its_assets_and_nowhere_else():
    cycle = CycleIndex(markets_of("BTC/USDT", "ETH/USDT", "ETH/BTC")).cycles[0]

    for asset in ("BTC", "ETH", "USDT"):
        entered = cycle.starting_at(asset)
        assert (entered.assets[0], set(entered.hops)) == (asset, set(cycle.hops))
    with pytest.raises(ValueError, match="not in tuple"):
        cycle.starting_at("SOL")


def test_symbols_are_not_glued_together():
    """T + USDC reads like TUSD + C, and four such markets do not make a triangle."""
    markets = [
        Market("T/USDC", "T", "USDC"),
        Market("TUSD/C", "TUSD", "C"),
        Market("T/X", "T", "X"),
        Market("C/X", "C", "X"),
        Market("X/TUSD", "X", "TUSD"),
    ]

    cycles = CycleIndex(markets).cycles

    assert {frozenset(cycle.assets) for cycle in cycles} == {frozenset({"TUSD", "C", "X"})}


def test_two_markets_between_the_same_assets_are_two_ways():
    markets = [*markets_of("B/A", "C/B", "C/A"), Market("A/B", "A", "B")]

    cycles = CycleIndex(markets).cycles

    assert len(cycles) == 4
    assert len({cycle.hops for cycle in cycles}) == 4


def test_the_same_market_named_twice_counts_once():
    assert len(CycleIndex(markets_of("B/A", "C/B", "C/A", "B/A")).cycles) == 2


def test_more_cycles_than_allowed_are_an_error_and_not_a_silent_cut():
    assets = [f"A{n:02}" for n in range(12)]
    markets = [
        Market(f"{base}/{quote}", base, quote)
        for base in assets
        for quote in assets
        if base < quote
    ]
    assert len(CycleIndex(markets, cycles_max=440).cycles) == 440

    with pytest.raises(LimitExceeded) as caught:
        CycleIndex(markets, cycles_max=439)

    assert "more than 439 ways" in str(caught.value)


def test_the_index_names_the_cycles_that_a_market_touches():
    index = CycleIndex(markets_of("B/A", "C/B", "C/A", "D/A", "D/B"))

    for symbol in index.markets:
        touched = [
            position
            for position, cycle in enumerate(index.cycles)
            if symbol in {hop.symbol for hop in cycle.hops}
        ]
        assert list(index.by_market[symbol]) == touched
    assert len(index.by_market["B/A"]) == 4


def test_a_scan_multiplies_the_rates_of_the_right_sides():
    index = CycleIndex(markets_of("B/A", "C/B", "C/A"))
    rates = index.blank_rates()
    rates[index.slot_of("B/A", Side.BUY)] = 2.0
    rates[index.slot_of("C/B", Side.BUY)] = 3.0
    rates[index.slot_of("C/A", Side.SELL)] = 5.0
    rates[index.slot_of("C/A", Side.BUY)] = 7.0
    rates[index.slot_of("C/B", Side.SELL)] = 11.0

    found = index.scan(rates)

    assert [(rate, str(index.cycles[position])) for rate, position in found] == [
        (30.0, "A → B → C → A")
    ], "the other way lacks the rate of selling B"


def test_a_scan_of_one_market_looks_at_its_cycles_only():
    index = CycleIndex(markets_of("B/A", "C/B", "C/A", "D/A", "D/B"))
    rates = [1.0 for _ in index.blank_rates()]

    found = index.scan(rates, index.by_market["C/B"])

    assert [position for _, position in found] == list(index.by_market["C/B"])
    assert len(index.scan(rates)) == len(index.cycles) == 4


def test_the_index_of_a_set_of_markets_is_made_once():
    markets = frozenset(markets_of("B/A", "C/B", "C/A"))

    assert index_cycles(markets) is index_cycles(frozenset(markets))


def test_a_market_is_the_edge_between_its_assets():
    assert market_of(make_rules(symbol="ETH/BTC")) == Market("ETH/BTC", "ETH", "BTC")


# --- recorded ticker frames of whole venues -------------------------------------------------------

Row = tuple[str, str, Any, Any]
"""Base, quote, bid, ask."""


def read(name: str) -> Any:
    path = recorded(f"tickers/all_tickers/{name}")
    return json.loads(path.read_text(encoding="utf-8"), parse_float=D)


def binance() -> Iterator[Row]:
    info = read("binance_exchangeinfo_20190503T032714Z.json")["symbols"]
    assets = {item["symbol"]: (item["baseAsset"], item["quoteAsset"]) for item in info}
    for row in read("binance_20190503T032714Z.json"):
        yield *assets[row["symbol"]], row["bidPrice"], row["askPrice"]


def okex(name: str, key: str) -> Iterator[Row]:
    for row in read(name)[key]:
        yield *row["symbol"].split("_"), row["buy"], row["sell"]


def kucoin() -> Iterator[Row]:
    for row in read("kucoin_20190221T071025Z.json")["data"]["ticker"]:
        yield *row["symbol"].split("-"), row["buy"], row["sell"]


def bitfinex() -> Iterator[Row]:
    for row in read("bitfinex_20190729T035142Z.json"):
        if row[0].startswith("t"):  # the others are funding
            pair = row[0][1:]
            base, quote = pair.split(":") if ":" in pair else (pair[:3], pair[3:])
            yield base, quote, row[1], row[3]


def count(rows: Iterable[Row]) -> tuple[int, int, int, int]:
    """Return markets with both prices, cycles, and those with an edge before and after fees."""
    markets: list[Market] = []
    prices: dict[str, dict[Side, D]] = {}
    for base, quote, bid, ask in rows:
        bid_price, ask_price = D(bid or 0), D(ask or 0)
        if bid_price > 0 and ask_price > 0:
            symbol = f"{base}/{quote}"
            markets.append(Market(symbol, base, quote))
            prices[symbol] = {Side.BUY: ask_price, Side.SELL: bid_price}
    cycles = CycleIndex(markets).cycles

    def edge_of(cycle: Cycle) -> Edge:
        return round_trip_edge(
            PricedLeg(
                hop.side,
                prices[hop.symbol][hop.side],
                fee_factors(FEES, hop.side),
            )
            for hop in cycle.hops
        )

    edges = [edge_of(cycle) for cycle in cycles]
    gross = {position for position, edge in enumerate(edges) if edge.gross_bps > 0}
    net = {position for position, edge in enumerate(edges) if edge.net_bps > 0}
    assert gross <= nominate(prices, fee=D(0)) <= {*gross, *range_of(edges, "gross_bps")}
    assert net <= nominate(prices, fee=D("0.001")) <= {*net, *range_of(edges, "net_bps")}
    return len(prices), len(cycles), len(gross), len(net)


def range_of(edges: list[Edge], name: str) -> list[int]:
    """Return the cycles so near to zero that floats cannot tell."""
    return [n for n, edge in enumerate(edges) if abs(getattr(edge, name)) < D("0.0001")]


def nominate(prices: Mapping[str, Mapping[Side, D]], *, fee: D) -> set[int]:
    """Return the cycles that the kernel of the nominator holds once it knows all prices."""
    rules = {MarketKey("v", symbol): make_rules("v", symbol, fee=fee) for symbol in prices}
    index = CycleIndex([market_of(item) for item in rules.values()])
    watch = Watch("v", index, range(len(index.cycles)))
    threshold = least_rate(edge_min=D(0), profit_min=D(0), spend_max=D(1))
    nominator = CycleNominator([watch], rules, threshold=threshold)
    for key in rules:
        best = prices[key.symbol]
        nominator.update(key, float(best[Side.SELL]), float(best[Side.BUY]))
    return nominator.kernel.hot


@pytest.mark.parametrize(
    ("read_rows", "expected"),
    [
        pytest.param(binance, (464, 1244, 3, 0), id="binance"),
        pytest.param(
            lambda: okex("okex_20180522T110302Z.json", "tickers"),
            (499, 1026, 12, 0),
            id="okex-1",
        ),
        pytest.param(
            lambda: okex("okex_20180522T110500Z.json", "tickers"),
            (499, 1026, 11, 2),
            id="okex-2",
        ),
        pytest.param(
            lambda: okex("okex_20180524T084900Z.json", "data"), (500, 1026, 23, 5), id="okex-3"
        ),
        pytest.param(kucoin, (394, 530, 5, 0), id="kucoin"),
        pytest.param(bitfinex, (407, 742, 6, 1), id="bitfinex"),
    ],
)
def test_recorded_tickers_hold_exactly_the_cycles_that_were_counted_independently(
    read_rows, expected
):
    assert count(read_rows()) == expected
