"""Whole sessions of real venues: no gap, no wrong checksum, no broken book; and losses are seen."""

import json
import re
from collections import Counter
from typing import Any

import pytest

from markets.domain.live_book import LiveBook
from markets.gateway.wire.gate import GATE_BY_REST
from markets.gateway.wire.keeper import BookKeeper, Verdict
from markets.gateway.wire.messages import BookKind, BookMessage
from markets.gateway.wire.protocols import wire_book_for
from tests.markets.fakes.recordings import recorded_session

SNAPSHOT = re.compile(r"(?:depth|order_book)\?(?:symbol|currency_pair)=(\w+)&limit=(\d+)")
KRAKEN = wire_book_for("kraken", is_spot=True)


def read_records(records, wire):
    """Yield key, message and whether it came by REST."""
    for record in records:
        if record["t"] == "http" and (found := SNAPSHOT.search(record["url"])):
            body = wire.decode(record["data"])
            yield found[1], wire.read_snapshot(body, found[1], int(found[2])), True
        elif record["t"] == "recv" and record["data"].startswith(("{", "[")):
            for message in wire.read(wire.decode(record["data"])):
                connection = None if wire.read_snapshot else record["conn"]
                key = message.symbol_id if connection is None else (connection, message.symbol_id)
                yield key, message, False


def keep(messages, wire):
    """Feed messages to keepers and return these with the verdicts."""
    keepers: dict[Any, BookKeeper] = {}
    verdicts: Counter[Verdict] = Counter()
    for key, message, is_rest in messages:
        if key not in keepers:
            book = LiveBook("v", message.symbol_id, is_refilled=wire.is_refilled)
            keepers[key] = BookKeeper(wire, book)
        give = keepers[key].adopt if is_rest else keepers[key].take
        verdicts[give(message, received_at_ms=1)] += 1
    return keepers, verdicts


SESSIONS = {
    "BINANCE": (wire_book_for("binance", is_spot=True), 181),
    "BINANCE_FUTURES": (wire_book_for("binanceusdm", is_spot=False), 768),
    "BYBIT": (wire_book_for("bybit", is_spot=True), 2148),
    "GATEIO": (GATE_BY_REST, 182),
    "OKX": (wire_book_for("okx", is_spot=True), 290),
    "BITGET": (wire_book_for("bitget", is_spot=True), 637),
}


@pytest.mark.parametrize("name", SESSIONS)
def test_a_recorded_session_is_followed_without_a_fault(name):
    wire, count = SESSIONS[name]

    keepers, verdicts = keep(read_records(recorded_session(name), wire), wire)

    assert verdicts.total() == count
    assert set(verdicts) <= {Verdict.APPLIED, Verdict.IGNORED, Verdict.WAITING}
    assert verdicts[Verdict.WAITING] <= len(keepers)
    assert all(keeper.is_current and keeper.book.fault() is None for keeper in keepers.values())


@pytest.mark.parametrize("name", SESSIONS)
def test_a_message_lost_from_a_recorded_session_is_noticed(name):
    wire, _count = SESSIONS[name]
    messages = list(read_records(recorded_session(name), wire))
    by_key = Counter(key for key, _message, _is_rest in messages)
    busiest = by_key.most_common(1)[0][0]
    places = [n for n, (key, message, _) in enumerate(messages) if key == busiest]
    lost = places[len(places) // 2]

    keepers, verdicts = keep(messages[:lost] + messages[lost + 1 :], wire)

    assert verdicts[Verdict.GAP] + verdicts[Verdict.MISMATCH] == 1
    assert [key for key, keeper in keepers.items() if not keeper.is_current] == [busiest]


def read_kraken(records):
    """Yield the messages of the first version of the protocol, whose checksum is the same."""
    for record in records:
        data = json.loads(record["data"]) if record["t"] == "recv" else None
        if isinstance(data, list) and str(data[-2]).startswith("book"):
            parts = {name: levels for part in data[1:-2] for name, levels in part.items()}
            is_snapshot = "as" in parts or "bs" in parts
            yield BookMessage(
                data[-1],
                BookKind.SNAPSHOT if is_snapshot else BookKind.DELTA,
                None,
                None,
                parts.get("bs" if is_snapshot else "b", []),
                parts.get("as" if is_snapshot else "a", []),
                checksum=int(parts["c"]) if "c" in parts else None,
            )


def test_every_checksum_of_a_recorded_session_of_kraken_is_reached():
    messages = [
        (message.symbol_id, message, False) for message in read_kraken(recorded_session("KRAKEN"))
    ]

    _keepers, verdicts = keep(messages, KRAKEN)

    assert verdicts == {Verdict.APPLIED: 4279}
    assert sum(message.checksum is not None for _, message, _ in messages) == 4269
