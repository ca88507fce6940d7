"""Market data over HTTP."""

import pytest

from markets.simulator.exchange.tape import INTERVALS_MS


def test_the_venue_answers_and_tells_its_time(anyone, clock):
    assert anyone.get("api/v3/ping") == (200, {})
    status, answer = anyone.get("api/v3/time")
    assert status == 200
    assert answer["serverTime"] > clock.now_ms()


def test_exchange_info_names_the_rules_of_each_market(anyone):
    status, answer = anyone.get("api/v3/exchangeInfo", symbol="BTCUSDT")

    [market] = answer["symbols"]
    filters = {row["filterType"]: row for row in market["filters"]}
    assert status == 200
    assert (market["baseAsset"], market["quoteAsset"]) == ("BTC", "USDT")
    assert market["orderTypes"] == ["LIMIT", "LIMIT_MAKER", "MARKET"]
    assert filters["PRICE_FILTER"]["tickSize"] == "0.10000000"
    assert filters["LOT_SIZE"] == {
        "filterType": "LOT_SIZE",
        "minQty": "0.00020000",
        "maxQty": "500.00000000",
        "stepSize": "0.00010000",
    }
    assert filters["NOTIONAL"]["minNotional"] == "5"
    assert market["defaultSelfTradePreventionMode"] == "EXPIRE_MAKER"


def test_exchange_info_lists_all_markets_or_those_that_are_named(anyone):
    _, everything = anyone.get("api/v3/exchangeInfo")
    _, named = anyone.get("api/v3/exchangeInfo", symbols='["ETHBTC"]')

    assert [market["symbol"] for market in everything["symbols"]] == ["BTCUSDT", "ETHBTC"]
    assert [market["symbol"] for market in named["symbols"]] == ["ETHBTC"]


@pytest.mark.parametrize(
    ("symbols", "code"), [("nonsense", -1100), ('["XYZ"]', -1121), ('{"a":1}', -1121)]
)
def test_a_list_of_symbols_that_makes_no_sense_is_refused(anyone, symbols, code):
    status, answer = anyone.get("api/v3/exchangeInfo", symbols=symbols)

    assert (status, answer["code"]) == (400, code)


def test_stock_clients_find_no_derivatives(anyone):
    for path in ("fapi/v1/exchangeInfo", "dapi/v1/exchangeInfo"):
        status, answer = anyone.get(path)
        assert (status, answer["symbols"]) == (200, [])


def test_depth_shows_the_best_levels_first(anyone):
    _, answer = anyone.get("api/v3/depth", symbol="BTCUSDT", limit=2)

    assert answer["bids"] == [["50000.00000000", "1.00000000"], ["49999.50000000", "2.00000000"]]
    assert answer["asks"] == [["50010.00000000", "1.00000000"], ["50010.50000000", "2.00000000"]]
    assert answer["lastUpdateId"] == 6


@pytest.mark.parametrize(
    ("path", "params", "code"),
    [
        ("api/v3/depth", {}, -1102),
        ("api/v3/depth", {"symbol": "NOPE"}, -1121),
        ("api/v3/depth", {"symbol": "BTCUSDT", "limit": "x"}, -1100),
        ("api/v3/depth", {"symbol": "BTCUSDT", "limit": "0"}, -1100),
        ("api/v3/klines", {"symbol": "BTCUSDT"}, -1102),
        ("api/v3/klines", {"symbol": "BTCUSDT", "interval": "7m"}, -1120),
        ("api/v3/ticker/24hr", {"symbol": "btcusdt"}, -1121),
    ],
)
def test_bad_questions_are_refused_with_the_exchanges_codes(anyone, path, params, code):
    status, answer = anyone.get(path, **params)

    assert (status, answer["code"]) == (400, code)


def test_an_unknown_address_is_not_found(anyone):
    status, answer = anyone.get("api/v3/nothing")
    assert (status, answer["code"]) == (404, -1020)
    status, answer = anyone.call("PUT", "api/v3/depth")
    assert (status, answer["code"]) == (404, -1020)


def test_trades_appear_on_the_tape_in_tickers_and_candles(anyone, ours):
    ours.order(price="50010.5", quantity="1.5", timeInForce="IOC")

    _, tape = anyone.get("api/v3/trades", symbol="BTCUSDT")
    _, aggregated = anyone.get("api/v3/aggTrades", symbol="BTCUSDT")
    _, day = anyone.get("api/v3/ticker/24hr", symbol="BTCUSDT")
    _, price = anyone.get("api/v3/ticker/price", symbol="BTCUSDT")
    _, average = anyone.get("api/v3/avgPrice", symbol="BTCUSDT")
    assert [(row["price"], row["qty"], row["isBuyerMaker"]) for row in tape] == [
        ("50010.00000000", "1.00000000", False),
        ("50010.50000000", "0.50000000", False),
    ]
    assert [row["a"] for row in aggregated] == [row["id"] for row in tape]
    assert (day["openPrice"], day["lastPrice"]) == ("50010.00000000", "50010.50000000")
    assert (day["volume"], day["quoteVolume"]) == ("1.50000000", "75015.25000000")
    assert day["weightedAvgPrice"] == "50010.16666666"
    assert (day["askPrice"], day["askQty"]) == ("50010.50000000", "1.50000000")
    assert price["price"] == average["price"] == "50010.50000000"


def test_aggregate_trades_can_be_asked_from_an_id_or_a_time_on(anyone, ours):
    ours.order(price="50010.5", quantity="1.5", timeInForce="IOC")
    _, [first, second] = anyone.get("api/v3/aggTrades", symbol="BTCUSDT")

    def ask(**params):
        return anyone.get("api/v3/aggTrades", symbol="BTCUSDT", **params)[1]

    assert ask(fromId=second["a"]) == [second]
    assert ask(startTime=first["T"], limit=1) == [first]
    assert ask(limit=1) == [second]
    assert ask(endTime=first["T"] - 1) == []


def test_every_interval_has_candles(anyone, ours):
    ours.order(price="50010.5", quantity="1.5", timeInForce="IOC")

    for interval, width_ms in INTERVALS_MS.items():
        _, rows = anyone.get("api/v3/klines", symbol="BTCUSDT", interval=interval)
        opened, first, high, low, close, volume, closed, cost, trades, *_ = rows[0]
        assert (first, high, low, close) == (
            "50010.00000000",
            "50010.50000000",
            "50010.00000000",
            "50010.50000000",
        )
        assert (volume, cost, trades) == ("1.50000000", "75015.25000000", 2)
        assert closed == opened + width_ms - 1


def test_candles_can_be_bounded_by_time_and_number(anyone, ours):
    ours.order(price="50010", quantity="1", timeInForce="IOC")
    _, rows = anyone.get("api/v3/klines", symbol="BTCUSDT", interval="1m")
    opened = rows[-1][0]

    def ask(**params):
        return anyone.get("api/v3/klines", symbol="BTCUSDT", interval="1m", **params)[1]

    assert ask(startTime=opened + 1) == []
    assert ask(endTime=rows[0][0] - 1) == []
    assert ask(startTime=rows[0][0], limit=1)[0][0] == rows[0][0]


def test_tickers_of_all_markets_come_as_a_list_also_before_the_first_trade(anyone):
    _, day = anyone.get("api/v3/ticker/24hr")
    _, best = anyone.get("api/v3/ticker/bookTicker", symbols='["BTCUSDT","ETHBTC"]')

    assert [row["symbol"] for row in day] == ["BTCUSDT", "ETHBTC"]
    assert (day[0]["lastPrice"], day[0]["count"]) == ("0.00000000", 0)
    assert (best[0]["bidPrice"], best[0]["askPrice"]) == ("50000.00000000", "50010.00000000")
    assert (best[1]["bidPrice"], best[1]["bidQty"]) == ("0.00000000", "0.00000000")
