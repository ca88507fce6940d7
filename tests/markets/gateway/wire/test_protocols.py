"""Messages of every certified venue, read exactly as they are written on the wire."""

from decimal import Decimal

import pytest

from markets.domain.live_book import LiveBook
from markets.gateway.capabilities import list_certified
from markets.gateway.wire.decoding import decode_bare
from markets.gateway.wire.keeper import BookKeeper, Verdict
from markets.gateway.wire.messages import BookKind, BookMessage
from markets.gateway.wire.protocols import wire_book_for

SNAPSHOT, DELTA = BookKind.SNAPSHOT, BookKind.DELTA


def protocol(ccxt_id, *, is_spot=True):
    wire = wire_book_for(ccxt_id, is_spot=is_spot)
    assert wire is not None
    return wire


def read(ccxt_id, text, *, is_spot=True):
    wire = protocol(ccxt_id, is_spot=is_spot)
    return list(wire.read(wire.decode(text)))


@pytest.mark.parametrize("ccxt_id", list_certified())
def test_every_certified_venue_has_a_protocol_that_leaves_other_messages_alone(ccxt_id):
    others = [
        '{"event":"subscribe","arg":{}}',
        "[]",
        '{"data":[1]}',
        '{"channel":"heartbeat"}',
        "7",
    ]

    for is_spot in (True, False):
        if wire_book_for(ccxt_id, is_spot=is_spot) is not None:
            assert [read(ccxt_id, text, is_spot=is_spot) for text in others] == [[]] * len(others)


def test_a_venue_without_a_protocol_of_ours_is_left_to_ccxt():
    assert wire_book_for("bitstamp", is_spot=True) is None
    assert wire_book_for("kraken", is_spot=False) is None


def test_binance_spot_counts_from_the_first_update_and_futures_from_the_last_message():
    spot = '{"e":"depthUpdate","E":5,"s":"BNBBTC","U":157,"u":160,"b":[["0.0024","10"]],"a":[]}'
    futures = spot.replace('"u":160', '"u":160,"pu":149')

    spot_message = BookMessage("BNBBTC", DELTA, 156, 160, [["0.0024", "10"]], [], 5)
    assert read("binance", spot) == [spot_message]
    assert read("binance", f'{{"stream":"bnbbtc@depth","data":{spot}}}') == [spot_message]
    assert read("binanceusdm", futures, is_spot=False) == [spot_message._replace(previous=149)]
    assert read("binance", '{"stream":"x","data":[]}') == []


def test_the_snapshot_of_binance_says_where_it_was_cut():
    wire = protocol("binance")
    body = wire.decode('{"lastUpdateId":160,"bids":[["0.0024","10"]],"asks":[["0.0026","1.0"]]}')

    assert wire.read_snapshot(body, "BNBBTC", 1000) == BookMessage(
        "BNBBTC", SNAPSHOT, None, 160, [["0.0024", "10"]], [["0.0026", "1.0"]], limit=1000
    )


def test_okx_names_the_message_before_and_a_checksum_of_zero_is_none():
    text = (
        '{"arg":{"channel":"books","instId":"BTC-USDT"},"action":"update","data":[{"asks":[],'
        '"bids":[["8476.97","256","0","12"]],"ts":"1597026383085","checksum":-855196043,'
        '"prevSeqId":123456,"seqId":123457}]}'
    )
    message = BookMessage(
        "BTC-USDT",
        DELTA,
        123456,
        123457,
        [["8476.97", "256", "0", "12"]],
        [],
        1597026383085,
        -855196043,
    )

    assert read("okx", text) == [message]
    assert read("okx", text.replace("-855196043", "0")) == [message._replace(checksum=None)]
    whole = text.replace('"action":"update",', "").replace('"books"', '"books5"')
    assert read("okx", whole) == [message._replace(kind=SNAPSHOT)]
    assert read("okx", text.replace('"action":"update",', "")) == []


def test_bybit_counts_by_one():
    text = (
        '{"topic":"orderbook.50.BTCUSDT","type":"delta","ts":1687940967466,"data":{"s":"BTCUSDT",'
        '"b":[["30247.20","30.028"]],"a":[["30248.70","0"]],"u":177400507,"seq":66544703342}}'
    )
    message = BookMessage(
        "BTCUSDT",
        DELTA,
        177400506,
        177400507,
        [["30247.20", "30.028"]],
        [["30248.70", "0"]],
        1687940967466,
    )

    assert read("bybit", text) == [message]
    assert read("bybit", text.replace('"delta"', '"snapshot"'))[0].kind is SNAPSHOT


def test_gate_is_read_in_both_generations_of_its_stream():
    full = (
        '{"channel":"spot.obu","event":"update","result":{"t":1777275365213,"full":true,'
        '"s":"ob.XRP_USDT.50","u":70,"b":[["1.414","1397.899"]],"a":[["1.415","17344.926"]]}}'
    )
    later = (
        '{"channel":"spot.obu","event":"update","result":{"t":1777275365233,'
        '"s":"ob.XRP_USDT.50","U":71,"u":72,"b":[["1.414","0"]]}}'
    )
    assert read("gate", full) + read("gate", later) == [
        BookMessage(
            "XRP_USDT",
            SNAPSHOT,
            None,
            70,
            [["1.414", "1397.899"]],
            [["1.415", "17344.926"]],
            1777275365213,
        ),
        BookMessage("XRP_USDT", DELTA, 70, 72, [["1.414", "0"]], (), 1777275365233),
    ]


def test_quantities_of_gates_contracts_are_bare_numbers_and_stay_exact():
    update = (
        '{"channel":"futures.order_book_update","event":"update","result":{"t":9,"s":"BTC_USD",'
        '"U":5,"u":7,"b":[{"p":"19079.55","s":0},{"p":"19079.07","s":0.1234567890123456789}],'
        '"a":[]}}'
    )
    wire = protocol("gate", is_spot=False)
    body = wire.decode('{"id":4,"asks":[{"p":"2","s":30}],"bids":[]}')

    bids = [("19079.55", "0"), ("19079.07", "0.1234567890123456789")]
    assert read("gate", update, is_spot=False) == [BookMessage("BTC_USD", DELTA, 4, 7, bids, (), 9)]
    assert read("gate", update.replace("order_book_update", "trades"), is_spot=False) == []
    assert wire.read_snapshot(body, "BTC_USD", 100) == BookMessage(
        "BTC_USD", SNAPSHOT, None, 4, [], [("2", "30")], limit=100
    )
    assert wire.decode(update.encode()) == wire.decode(update)


KRAKEN_ASKS = [
    ("45285.2", "0.00100000"),
    ("45286.4", "1.54571953"),
    ("45286.6", "1.54571109"),
    ("45289.6", "1.54560911"),
    ("45290.2", "0.15890660"),
    ("45291.8", "1.54553491"),
    ("45294.7", "0.04454749"),
    ("45296.1", "0.35380000"),
    ("45297.5", "0.09945542"),
    ("45299.5", "0.18772827"),
]
KRAKEN_BIDS = [
    ("45283.5", "0.10000000"),
    ("45283.4", "1.54582015"),
    ("45282.1", "0.10000000"),
    ("45281.0", "0.10000000"),
    ("45280.3", "1.54592586"),
    ("45279.0", "0.07990000"),
    ("45277.6", "0.03310103"),
    ("45277.5", "0.30000000"),
    ("45277.3", "1.54602737"),
    ("45276.6", "0.15445238"),
]


def kraken_text(bids, asks, checksum, kind="snapshot"):
    def levels(side):
        return ",".join(f'{{"price":{price},"qty":{quantity}}}' for price, quantity in side)

    return (
        f'{{"channel":"book","type":"{kind}","data":[{{"symbol":"BTC/USD","bids":[{levels(bids)}],'
        f'"asks":[{levels(asks)}],"checksum":{checksum},'
        f'"timestamp":"2023-10-06T17:35:55.440295Z"}}]}}'
    )


def test_kraken_writes_bare_numbers_whose_digits_make_its_checksum():
    text = kraken_text(KRAKEN_BIDS, KRAKEN_ASKS, 3310070434)

    (message,) = read("kraken", text)

    assert message == BookMessage(
        "BTC/USD", SNAPSHOT, None, None, KRAKEN_BIDS, KRAKEN_ASKS, 1696613755440, 3310070434
    )
    wire = protocol("kraken")
    book = LiveBook("kraken", "BTC/USD", depth_max=10, is_refilled=wire.is_refilled)
    assert BookKeeper(wire, book).take(message, received_at_ms=1) is Verdict.APPLIED
    assert book.to_book(1).asks[0].quantity == Decimal("0.001")


def test_a_wrong_digit_is_noticed_by_the_checksum_of_kraken():
    wire = protocol("kraken")
    keeper = BookKeeper(wire, LiveBook("kraken", "BTC/USD", depth_max=10, is_refilled=True))
    (message,) = read("kraken", kraken_text(KRAKEN_BIDS, KRAKEN_ASKS, 3310070435))

    assert keeper.take(message, received_at_ms=1) is Verdict.MISMATCH
    assert not keeper.is_current
    assert str(keeper.reason) == (
        "The checksum of the book is 3310070434, but the venue's is 3310070435."
    )
    assert keeper.book.best_bid == 0.0


def test_a_message_of_kraken_may_lack_a_side_and_a_time():
    text = '{"channel":"book","type":"update","data":[{"symbol":"A/B","bids":[],"checksum":1}]}'

    assert read("kraken", text) == [BookMessage("A/B", DELTA, None, None, [], [], None, 1)]


def test_bitget_has_a_checksum_on_one_channel_and_a_chain_on_the_other():
    classic = (
        '{"action":"update","arg":{"instType":"SPOT","channel":"books","instId":"BTCUSDT"},'
        '"data":[{"asks":[["27000.5","8.760"]],"bids":[],"checksum":-1472,"seq":12,'
        '"ts":"1695716059516"}],"ts":1695716059518}'
    )
    unified = (
        '{"action":"update","arg":{"instType":"spot","topic":"books","symbol":"BTCUSDT"},'
        '"data":{"a":[["27000.5","8.760"]],"b":[],"checksum":0,"pseq":"11","seq":"12",'
        '"ts":"1695716059516"}}'
    )
    message = BookMessage(
        "BTCUSDT", DELTA, None, 12, [], [["27000.5", "8.760"]], 1695716059516, -1472
    )

    assert read("bitget", classic) == [message]
    assert read("bitget", unified) == [message._replace(previous=11, checksum=None)]
    assert read("bitget", classic.replace('"books"', '"trade"')) == []


def test_no_digit_of_a_bare_number_is_lost():
    decoded = decode_bare(b'{"price":0.10000000000000000001,"count":12,"tiny":1e-7}')

    assert decoded == {"price": "0.10000000000000000001", "count": 12, "tiny": "1e-7"}


@pytest.mark.parametrize("ccxt_id", list_certified())
def test_what_is_no_json_is_refused(ccxt_id):
    with pytest.raises(ValueError, match=r".+"):
        read(ccxt_id, "pong")
