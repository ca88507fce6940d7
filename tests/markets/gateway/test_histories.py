"""A history that is longer than one answer is read to its end, or not at all."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext, suppress
from functools import partial
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from markets.errors import VenueRateLimited
from markets.gateway import histories as histories_module
from markets.gateway import order_calls
from markets.gateway.capabilities import list_certified
from markets.gateway.client import RateKept, exchange_class
from markets.gateway.error_map import Effect, Malformed
from markets.gateway.histories import PAGES_MAX, Histories, read_pages, sharing
from markets.gateway.limiter import (
    BACKGROUND_WAIT_MS,
    WAIT_MS_MAX,
    RateLimiter,
    TooManyRequests,
    Urgency,
    in_background,
)
from markets.gateway.order_data import parse_fills
from markets.gateway.patience import PATIENCE_MS, Patience
from markets.gateway.quirks import COMMON, Paging, Quirks, quirks_for

SYMBOL, OTHER = "BTC/USDT", "ETH/USDT"
SIZE = 7
SINCE_MS = 1_000
QUIRKS = {
    Paging.FORWARD: Quirks(page_size=SIZE, paging=Paging.FORWARD),
    Paging.BACKWARD: Quirks(page_size=SIZE, paging=Paging.BACKWARD),
    Paging.OFFSET: Quirks(page_size=SIZE, paging=Paging.OFFSET, offset_param="ofs"),
}


def trade(number: int, moment_ms: int, symbol: str = SYMBOL, side: str = "buy") -> dict[str, Any]:
    return {"id": str(number), "order": "7", "symbol": symbol, "side": side, "price": "1",
            "amount": "1", "timestamp": moment_ms}  # fmt: skip


class Venue:
    """Lists trades as a venue of one kind does; what a session asks is noted."""

    def __init__(self, paging: Paging, trades: Sequence[dict[str, Any]]) -> None:
        self.quirks = QUIRKS[paging]
        self.trades = sorted(trades, key=lambda row: row["timestamp"])
        self.asked: list[dict[str, int]] = []
        self.on_answer: Callable[[], None] = lambda: None
        self.client: Any = SimpleNamespace(features={}, raw_answer=None)

    def call(self, _effect: Effect, _symbol: str) -> Any:
        return nullcontext(self.client)

    def rows(
        self,
        _client: Any,
        _method: str,
        symbol: str | None,
        since_ms: int,
        limit: int,
        params: dict[str, int] | None = None,
    ) -> list[dict[str, Any]]:
        more = params or {}
        self.asked.append(more)
        found = [
            row
            for row in self.trades
            if symbol in {None, row["symbol"]}
            and since_ms <= row["timestamp"] <= more.get("until", 10**13)
        ]
        if self.quirks.paging is Paging.FORWARD:
            page = found[:limit]
        else:
            skipped = more.get("ofs", 0)
            page = found[::-1][skipped : skipped + limit][::-1]
        self.on_answer()
        return page


def read(venue: Any) -> list[int]:
    rows = read_pages(venue, "fetch_my_trades", SYMBOL, SINCE_MS)
    return [int(row["id"]) for row in rows]


@pytest.mark.parametrize("paging", QUIRKS)
@given(
    gaps=st.lists(st.integers(0, 3), max_size=5 * SIZE),
    others=st.lists(st.integers(SINCE_MS, SINCE_MS + 50), max_size=2 * SIZE),
)
def test_every_row_since_then_is_read_once(
    paging: Paging, gaps: list[int], others: list[int]
) -> None:
    """However many bear one time, as long as those of two fit into one answer."""
    moments: list[int] = []
    for gap in gaps:
        last = moments[-1] if moments else SINCE_MS
        is_full = moments.count(last) >= SIZE // 2
        moments.append(last + max(gap, int(is_full)))
    mine = [trade(number, moment) for number, moment in enumerate(moments)]
    venue = Venue(paging, [*mine, *(trade(1_000 + n, at, OTHER) for n, at in enumerate(others))])
    if paging is Paging.OFFSET:
        venue.on_answer = lambda: venue.trades.append(trade(9_999, 10**12, OTHER))

    assert sorted(read(venue)) == list(range(len(mine)))
    assert len(venue.asked) <= len(venue.trades) // 2 + 1


@pytest.mark.parametrize("paging", [Paging.FORWARD, Paging.BACKWARD])
def test_more_at_one_moment_than_one_answer_holds_is_no_answer(paging: Paging) -> None:
    venue = Venue(paging, [trade(number, SINCE_MS + 5) for number in range(SIZE + 1)])

    with pytest.raises(Malformed, match="at one moment"):
        read(venue)


@pytest.mark.parametrize("paging", QUIRKS)
def test_a_history_whose_end_cannot_be_reached_is_no_answer(paging: Paging) -> None:
    count = PAGES_MAX * SIZE + 1
    venue = Venue(paging, [trade(number, SINCE_MS + number) for number in range(count)])

    with pytest.raises(Malformed, match="than can be read"):
        read(venue)

    assert len(venue.asked) == PAGES_MAX


def test_rows_without_a_time_lead_nowhere() -> None:
    venue = Venue(Paging.BACKWARD, [])
    rows = [{**trade(number, 0), "timestamp": None} for number in range(SIZE)]
    venue.rows = lambda *_arguments: rows  # type: ignore[method-assign]

    with pytest.raises(Malformed, match="time"):
        read(venue)


def test_both_halves_of_a_trade_with_oneself_are_kept() -> None:
    venue = Venue(Paging.FORWARD, [trade(1, SINCE_MS), trade(1, SINCE_MS, side="sell")])

    rows = read_pages(
        venue,  # type: ignore[arg-type]
        "fetch_my_trades",
        SYMBOL,
        SINCE_MS,
    )

    fills = parse_fills(rows, symbol=SYMBOL, order_id=None, is_of_order=False)
    assert sorted(fill.side.value for fill in fills) == ["buy", "sell"]


@pytest.mark.parametrize(("stated", "size"), [({}, 50), ({"limit": 10}, 10), ({"limit": 900}, 500)])
def test_a_full_answer_of_a_class_that_nobody_tried_out_is_no_answer(
    stated: dict[str, int], size: int
) -> None:
    features = {"spot": {"fetchMyTrades": stated}}
    venue: Any = Venue(Paging.FORWARD, [trade(number, SINCE_MS) for number in range(size - 1)])
    venue.quirks, venue.client = COMMON, SimpleNamespace(features=features, raw_answer=None)

    assert len(read_pages(venue, "fetch_my_trades", SYMBOL, SINCE_MS)) == size - 1

    venue.trades.append(trade(size, SINCE_MS))
    with pytest.raises(Malformed, match="than can be read"):
        read_pages(venue, "fetch_my_trades", SYMBOL, SINCE_MS)


def test_a_long_history_and_what_follows_wait_for_room_in_the_background_only() -> None:
    """Kraken: 5 s may be spent at once, an answer takes 6 s, and orders are not kept waiting."""
    slept: list[float] = []
    now_ms = [0.0]

    def sleep(seconds: float) -> None:
        assert seconds <= WAIT_MS_MAX / 1_000 or not is_lent[0]
        slept.append(seconds)
        now_ms[0] += seconds * 1_000

    is_lent = [False]
    limiter = RateLimiter(1_000, now_ms=lambda: now_ms[0], sleep=sleep)

    def spend(cost: float) -> None:
        try:
            limiter.acquire(cost, urgency=Urgency.LOOKUP)
        except TooManyRequests as error:
            refusal = VenueRateLimited(venue="v", cause="")
            refusal.wait_ms = RateKept(error).wait_ms
            raise refusal from None

    @contextmanager
    def call(_effect: Effect, _symbol: str) -> Iterator[Any]:
        is_lent[0] = True
        try:
            yield venue.client
        finally:
            is_lent[0] = False

    venue: Any = Venue(Paging.OFFSET, [trade(n, SINCE_MS + n) for n in range(120)])
    venue.quirks = quirks_for("kraken")
    venue.call, venue.on_answer = call, lambda: spend(6)

    with pytest.raises(VenueRateLimited):
        read_pages(venue, "fetch_my_trades", SYMBOL, SINCE_MS, Patience(sleep))
    now_ms[0] += 60_000
    slept.clear()
    with in_background():
        rows = read_pages(venue, "fetch_my_trades", SYMBOL, SINCE_MS, Patience(sleep))
        Patience(sleep).take(lambda: spend(3))

    assert len(rows) == 120
    assert slept == pytest.approx([1, 6, 1, 6, 1, 5])


def test_a_wait_that_is_too_long_or_wanted_by_the_venue_is_not_begun() -> None:
    slept: list[float] = []

    def refuse(wait_ms: float | None) -> None:
        refusal = VenueRateLimited(venue="v", cause="")
        refusal.wait_ms = wait_ms
        raise refusal

    with in_background():
        for wait_ms in (None, PATIENCE_MS + 1):
            with pytest.raises(VenueRateLimited):
                Patience(slept.append).take(partial(refuse, wait_ms))
        assert slept == []
        with pytest.raises(VenueRateLimited):
            Patience(slept.append).take(partial(refuse, PATIENCE_MS / 4))

    assert slept == [PATIENCE_MS / 4_000] * 4


def test_all_reads_of_a_block_share_what_it_may_wait() -> None:
    slept: list[float] = []
    refusal = VenueRateLimited(venue="v", cause="")
    refusal.wait_ms = PATIENCE_MS

    def refuse() -> None:
        raise refusal

    with in_background():
        for _read in range(5):
            with pytest.raises(VenueRateLimited):
                Patience(slept.append).take(refuse)

    assert slept == [PATIENCE_MS / 1_000] * (BACKGROUND_WAIT_MS // PATIENCE_MS)


# histories of all markets together ------------------------------------------------------------


class Limited(Venue):
    """Lists the trades of all markets; refuses when so many answers of a round are used up."""

    def __init__(self, trades: Sequence[dict[str, Any]]) -> None:
        super().__init__(Paging.OFFSET, trades)
        self.room = PAGES_MAX

    def rows(self, *arguments: Any) -> list[dict[str, Any]]:
        if not self.room:
            raise VenueRateLimited(venue="v", cause="")
        self.room -= 1
        return super().rows(*arguments)

    def add(self, numbers: Sequence[int], symbol: str = SYMBOL) -> None:
        self.trades += [trade(number, SINCE_MS + number, symbol) for number in numbers]


def read_shared(venue: Any, histories: Histories, symbol: str = SYMBOL) -> list[int]:
    with sharing(histories):
        rows = read_pages(venue, "fetch_my_trades", symbol, SINCE_MS)
    return sorted(int(row["id"]) for row in rows)


def test_a_history_of_all_markets_is_read_once_for_all_of_them() -> None:
    venue, histories = Limited([]), Histories()
    venue.add(range(2 * SIZE))
    venue.add(range(100, 100 + SIZE), OTHER)

    assert read_shared(venue, histories) == list(range(2 * SIZE))
    count = len(venue.asked)
    assert read_shared(venue, histories, OTHER) == list(range(100, 100 + SIZE))
    assert read_shared(venue, histories, "XRP/USDT") == []
    assert len(venue.asked) == count == 4

    venue.add([50])
    histories.begin_round()
    assert read_shared(venue, histories) == [*range(2 * SIZE), 50]
    assert len(venue.asked) == count + 1


def test_who_shares_nothing_is_told_what_is_there_now() -> None:
    venue, histories = Limited([]), Histories()
    venue.add(range(3))
    assert read_shared(venue, histories) == [0, 1, 2]
    venue.add([3])

    assert sorted(read(venue)) == [0, 1, 2, 3]
    assert read_shared(venue, histories) == [0, 1, 2]


def test_another_key_or_an_earlier_time_is_another_history() -> None:
    venue, other, histories = Limited([]), Limited([]), Histories()
    venue.add(range(3))
    assert read_shared(venue, histories) == [0, 1, 2]

    assert read_shared(other, histories) == []
    with sharing(histories):
        assert len(read_pages(venue, "fetch_my_trades", SYMBOL, SINCE_MS + 2)) == 1  # type: ignore[arg-type]
        assert len(read_pages(venue, "fetch_my_trades", SYMBOL, SINCE_MS)) == 3  # type: ignore[arg-type]
        assert len(read_pages(venue, "fetch_my_trades", SYMBOL, SINCE_MS + 1)) == 2  # type: ignore[arg-type]
    assert len(venue.asked) == 3


@given(
    count=st.integers(0, 12 * SIZE),
    rounds=st.lists(st.tuples(st.integers(0, 2), st.integers(0, SIZE)), max_size=12),
)
def test_a_history_is_read_on_where_the_rate_budget_ended_and_nothing_is_passed_over(
    count: int, rounds: list[tuple[int, int]]
) -> None:
    """Whatever happens between the rounds, and however few answers each of them may have."""
    venue, histories = Limited([]), Histories()
    venue.add(range(count))
    for room, news in rounds:
        venue.room = room
        histories.begin_round()
        with suppress(VenueRateLimited):
            assert read_shared(venue, histories) == list(range(len(venue.trades)))
        venue.add(range(len(venue.trades), len(venue.trades) + news))
    venue.room = PAGES_MAX
    histories.begin_round()

    assert read_shared(venue, histories) == list(range(len(venue.trades)))


def test_three_answers_a_round_are_enough_for_any_length() -> None:
    """Kraken: so many are had in a minute, and an account that trades on meanwhile is read too."""
    venue, histories = Limited([]), Histories()
    venue.add(range(40 * SIZE))
    found, refused = list[int](), 0
    while refused < 40:
        venue.room = 3
        histories.begin_round()
        try:
            found = read_shared(venue, histories)
            break
        except VenueRateLimited:
            refused += 1
            venue.add(range(len(venue.trades), len(venue.trades) + 2))

    assert refused == 19
    assert found == list(range(len(venue.trades)))


def test_what_is_kept_of_a_history_that_never_ends_is_bounded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A comparison that fails for weeks on something else keeps what it has read."""
    monkeypatch.setattr(histories_module, "KEPT_ROWS_MAX", 3 * SIZE)
    venue, histories = Limited([]), Histories()
    kept_counts: list[int] = []
    for number in range(20):
        venue.add(range(number * SIZE, (number + 1) * SIZE))
        venue.room = PAGES_MAX
        histories.begin_round()
        since_ms = SINCE_MS + max(0, number - 1) * SIZE
        with sharing(histories):
            rows = read_pages(venue, "fetch_my_trades", SYMBOL, since_ms)  # type: ignore[arg-type]
            kept_counts.append(len(histories.of(venue, "fetch_my_trades", since_ms).rows))  # type: ignore[arg-type]
        assert len(rows) == min(number + 1, 2) * SIZE

    assert max(kept_counts) <= 4 * SIZE


def test_a_history_that_is_longer_than_all_rounds_may_read_is_begun_anew() -> None:
    venue, histories = Limited([]), Histories(pages_max=2)
    venue.add(range(3 * SIZE))
    with pytest.raises(Malformed, match="than can be read"):
        read_shared(venue, histories)
    venue.trades = venue.trades[:SIZE]

    histories.begin_round()
    assert read_shared(venue, histories) == list(range(SIZE))


# the classes themselves -----------------------------------------------------------------------

MARKET = {"id": "BTCUSDT", "symbol": SYMBOL, "base": "BTC", "quote": "USDT", "baseId": "BTC",
          "quoteId": "USDT", "spot": True, "type": "spot", "active": True, "contract": False,
          "precision": {"amount": "0.0001", "price": "0.01"}, "limits": {}}  # fmt: skip


def asked_of(ccxt_id: str, method: str, *arguments: Any) -> dict[str, str]:
    """Return what a class would ask its venue for."""
    client = exchange_class(ccxt_id)({"apiKey": "key", "secret": "c2VjcmV0", "password": "p"})
    client.set_markets([MARKET])
    client.options["unifiedAccount"] = False
    seen: list[dict[str, Any]] = []

    def note(_path: str, _api: Any, _verb: str, params: Any, **_options: Any) -> Any:
        seen.append(dict(params))
        return []

    client.request = note
    with suppress(Exception):  # it cannot read the answer; what was asked is all that counts
        getattr(client, method)(*arguments)
    return {name: str(value) for name, value in seen[-1].items()}


class Empty:
    """A session with a venue that has nothing to list; it notes method and rows asked for."""

    venue = "v"

    def __init__(self, ccxt_id: str) -> None:
        self.quirks = quirks_for(ccxt_id)
        self.asked: list[tuple[str, int]] = []
        self.client = exchange_class(ccxt_id)()

    def call(self, _effect: Effect, _symbol: str) -> Any:
        return nullcontext(self.client)

    def rows(self, _client: Any, method: str, _symbol: Any, _since: int, limit: int) -> list[Any]:
        self.asked.append((method, limit))
        return []


def histories_of(ccxt_id: str) -> list[tuple[str, int]]:
    """Return by which methods a class lists its histories, and how many rows it is asked for."""
    session: Any = Empty(ccxt_id)
    order_calls.list_orders(session, SYMBOL, SINCE_MS)
    read_pages(session, "fetch_my_trades", SYMBOL, SINCE_MS)
    return list(session.asked)


@pytest.mark.parametrize("ccxt_id", list_certified())
def test_a_certified_class_hands_on_where_the_next_answer_begins(ccxt_id: str) -> None:
    quirks, since_ms, until_ms = quirks_for(ccxt_id), 1_750_000_000_000, 1_760_000_000_000
    for method, _rows in histories_of(ccxt_id):
        if quirks.paging is Paging.FORWARD:
            sent = asked_of(ccxt_id, method, SYMBOL, since_ms, 50)
            assert str(since_ms) in sent.values(), method
        elif quirks.paging is Paging.BACKWARD:
            sent = asked_of(ccxt_id, method, SYMBOL, since_ms, 50, {"until": until_ms})
            ends = {str(until_ms), str(until_ms // 1_000)}
            assert ends & set(sent.values()), method
            assert quirks.end_step_ms == (1 if str(until_ms) in sent.values() else 1_000)
        else:
            sent = asked_of(ccxt_id, method, None, since_ms, 50, {quirks.offset_param: 100})
            assert sent[quirks.offset_param] == "100", method


def test_an_order_that_is_older_than_the_span_does_not_end_it() -> None:
    """Kraken lists by the time of the end; ccxt drops what was made before the span."""
    since_s, size = 1_750_000_000, 50
    made_s = [since_s + 100 + number for number in range(60)]
    made_s[1::7] = [since_s - 100] * len(made_s[1::7])
    closed = [
        {"opentm": at, "status": "closed", "vol": "1", "vol_exec": "1", "cost": "1", "fee": "0",
         "price": "1", "descr": {"pair": "BTCUSDT", "type": "buy", "ordertype": "limit",
                                 "price": "1", "order": "buy 1 BTCUSDT @ limit 1"}}
        for at in made_s
    ]  # fmt: skip
    client = exchange_class("kraken")({"apiKey": "key", "secret": "c2VjcmV0"})
    client.set_markets([MARKET])

    def answer(_path: str, _api: Any, _verb: str, params: Any, **_options: Any) -> Any:
        first = int(params.get("ofs", 0))
        page = {f"O{number}": closed[number] for number in range(60)[first : first + size]}
        client.raw_answer = {"error": [], "result": {"closed": page, "count": 60}}
        return client.raw_answer

    client.request = answer
    session: Any = SimpleNamespace(
        quirks=quirks_for("kraken"),
        call=lambda _effect, _symbol: nullcontext(client),
        rows=lambda client, method, *arguments: getattr(client, method)(*arguments),
    )

    rows = read_pages(session, "fetch_closed_orders", SYMBOL, since_s * 1_000)

    expected = {f"O{number}" for number, at in enumerate(made_s) if at >= since_s}
    assert {row["id"] for row in rows} == expected


def test_certified_classes_are_asked_for_no_more_rows_than_they_give() -> None:
    asked = {ccxt_id: dict(histories_of(ccxt_id)) for ccxt_id in list_certified()}

    assert asked == {
        "binance": {"fetch_orders": 500, "fetch_my_trades": 500},
        "bitget": {"fetch_canceled_and_closed_orders": 100, "fetch_my_trades": 100},
        "bybit": {"fetch_canceled_and_closed_orders": 50, "fetch_my_trades": 100},
        "gate": {"fetch_closed_orders": 100, "fetch_my_trades": 500},
        "kraken": {"fetch_closed_orders": 50, "fetch_my_trades": 50},
        "okx": {"fetch_closed_orders": 100, "fetch_canceled_orders": 100, "fetch_my_trades": 100},
    }
