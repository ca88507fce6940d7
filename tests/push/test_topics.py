"""The catalogue of topics."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arbplatform.push.errors import UnknownTopic
from arbplatform.push.topics import RULES, Delivery, Topic, TopicKind, parse_topic, ticker_topic
from arbplatform.push.topics import book_topic as name_book

CODES = st.text("abcdefghijklmnopqrstuvwxyz0123456789-_", min_size=1, max_size=20)


@pytest.mark.parametrize("kind", [kind for kind in TopicKind if not RULES[kind].has_market])
def test_a_topic_that_stands_alone_is_found_by_its_name(kind):
    assert parse_topic(kind.value) == Topic(kind)


@given(CODES)
def test_a_topic_of_a_market_names_it(venue):
    assert parse_topic(ticker_topic(venue, "BTC/USDT")) == Topic(
        TopicKind.TICKER, venue, "BTC/USDT"
    )
    assert parse_topic(name_book(venue, "BTC/USDT:USDT")).symbol == "BTC/USDT:USDT"


@given(CODES, st.sampled_from(["BTC/USDT", "ETH/BTC", "BTC/USDT:USDT"]))
def test_a_topic_survives_the_way_to_its_name_and_back(venue, symbol):
    topic = Topic(TopicKind.BOOK, venue, symbol)

    assert parse_topic(topic.name) == topic
    assert topic.channel == "arb:push:" + topic.name


@given(
    CODES,
    st.sampled_from(["BTC/USDT", "BTC/USDT:USDT"]),
    st.sampled_from(["1s", "1m", "15m", "4h", "1d", "1w", "1M"]),
)
def test_a_topic_of_bars_names_their_width_too(venue, symbol, timeframe):
    topic = parse_topic(f"kline:{venue}:{symbol}:{timeframe}")

    assert topic == Topic(TopicKind.KLINE, venue, symbol, timeframe)
    assert parse_topic(topic.name) == topic


def test_the_book_and_the_best_prices_of_a_market_are_one_stream():
    names = ["ticker:a:X/Y", "book:a:X/Y", "trades:a:X/Y", "kline:a:X/Y:1m", "kline:a:X/Y:5m"]

    assert len({parse_topic(name).stream for name in names}) == 4


@pytest.mark.parametrize(
    "name",
    [
        "",
        "nonsense",
        "ticker",
        "ticker:",
        "ticker:alpha",
        "ticker:alpha:",
        "ticker::BTC/USDT",
        "trades:alpha",
        "kline:alpha:BTC/USDT",
        "kline:alpha:BTC/USDT:USDT",
        "kline:alpha:BTC/USDT:",
        "kline:alpha::1m",
        "kline:alpha:BTC/USDT:0m",
        "kline:alpha:BTC/USDT:1x",
        "executions:7",
        "executions:",
        "Executions",
        "ticker:alpha:BTC/USDT\n",
        "ticker:alpha:BTC USDT",
        "book:alpha:" + "X" * 200,
    ],
)
def test_what_is_no_topic_is_refused(name):
    with pytest.raises(UnknownTopic):
        parse_topic(name)


def test_only_what_changes_all_the_time_is_replaced_by_its_newest():
    newest = {kind for kind, rule in RULES.items() if rule.delivery is Delivery.NEWEST}

    assert newest == {
        TopicKind.TICKER,
        TopicKind.BOOK,
        TopicKind.KLINE,
        TopicKind.OPPORTUNITIES,
    }
    assert set(RULES) == set(TopicKind)
