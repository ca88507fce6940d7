"""A simulator in a thread, its own addresses, and what the command refuses."""

import asyncio
import gc
import json
import socket
from decimal import Decimal

import pytest
from django.core.management import CommandError, call_command

from arbplatform.core.errors import InvalidInput, Unavailable
from markets.simulator.control import _is_local
from markets.simulator.running import HOST, start_in_thread
from markets.simulator.storage.journal import JournalFailed
from tests.markets.simulator.worlds import KEYS, RawClient, account, ask, two_venues


def test_it_lists_its_venues_and_says_that_it_is_ready(simulator):
    status, answer = ask(simulator.url)

    assert status == 200
    assert answer["venues"][0] == {
        "code": "alpha",
        "name": "Alpha",
        "symbols": ["BTC/USDT", "ETH/BTC"],
        "rest": "/alpha",
        "websocket": "/alpha",
    }
    assert ask(f"{simulator.url}/healthz") == (200, {"status": "ok"})


def test_a_statement_shows_exact_balances(simulator, ours):
    ours.order(price="45000")

    status, answer = ask(f"{simulator.url}/statement/alpha?label=ours")

    assert status == 200
    assert answer["balances"]["spot"]["USDT"] == {"free": "95500.00000000", "held": "4500.00000000"}
    assert answer["balances"]["funding"]["USDT"] == {"free": "0.00000000", "held": "0.00000000"}


@pytest.mark.parametrize(
    ("method", "path", "status", "text"),
    [
        ("GET", "statement/alpha?label=nobody", 404, "one of: ours, other, reader"),
        ("GET", "statement/nowhere?label=ours", 404, "nothing at /statement/nowhere"),
        ("POST", "control/alpha/replay/advance", 404, "no replay"),
        ("POST", "control/alpha/replay/advance?frames=0", 400, "frames must be"),
        ("POST", "control/alpha/replay/advance?frames=x", 400, "frames must be"),
        ("GET", "control/alpha/replay/advance", 404, "nothing at"),
    ],
)
def test_questions_without_an_answer_are_told(simulator, method, path, status, text):
    found, answer = ask(f"{simulator.url}/{path}", method)

    assert found == status
    assert text in answer["error"]


def test_a_replay_is_stepped_over_http_and_by_hand(tmp_path):
    path = tmp_path / "books.jsonl"
    rows = [
        {
            "timestamp": at_s,
            "exchange": "X",
            "bids": [["100", "1"]],
            "asks": [[str(101 + at_s), "1"]],
        }
        for at_s in range(5)
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    config = two_venues()
    config["venues"][0]["replay"] = {
        "path": str(path),
        "exchange": "X",
        "symbol": "BTC/USDT",
        "speed": 0,
    }
    with start_in_thread(config) as simulator:
        status, answer = ask(f"{simulator.url}/control/alpha/replay/advance?frames=2", "POST")
        assert (status, answer) == (200, {"advanced": 2, "position": 2})

        assert simulator.control.advance_replay(10) == 3

        client = RawClient(simulator.url)
        _, depth = client.get("api/v3/depth", symbol="BTCUSDT")
        client.close()
    assert depth["asks"] == [["105.00000000", "1.00000000"]]


def test_a_replay_plays_by_itself_at_a_multiple_of_its_pace(tmp_path):
    path = tmp_path / "books.jsonl"
    rows = [
        {"timestamp": at_s * 60, "exchange": "X", "bids": [["100", "1"]], "asks": [["101", "1"]]}
        for at_s in range(20)
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    config = two_venues()
    config["venues"][0]["replay"] = {
        "path": str(path),
        "exchange": "X",
        "symbol": "BTC/USDT",
        "speed": 100_000,
    }
    with start_in_thread(config) as simulator:
        replay = simulator.control.world.replays["alpha"]
        for _ in range(1_000):
            if simulator.control.call(lambda: replay.is_over):
                break
        assert replay.position == 20


def test_makers_quote_and_withdrawals_arrive_by_themselves():
    config = two_venues(
        makers={
            "prices": {"BTC": "50000", "ETH": "2500", "USDT": "1"},
            "interval_ms": 10,
            "history_minutes": 0,
        }
    )
    config["settlement"]["delay_ms"] = 0
    with start_in_thread(config) as simulator:
        at_alpha = RawClient(simulator.url, "alpha", KEYS["alpha"])
        at_beta = RawClient(simulator.url, "beta", KEYS["beta"])
        _, first = at_alpha.get("api/v3/depth", symbol="BTCUSDT")
        address = at_beta.get("sapi/v1/capital/deposit/address", coin="USDT")[1]["address"]
        at_alpha.call(
            "POST", "sapi/v1/capital/withdraw/apply", coin="USDT", address=address, amount="10"
        )
        arrived, later = [], first
        for _ in range(2_000):
            _, arrived = at_beta.get("sapi/v1/capital/deposit/hisrec")
            _, later = at_alpha.get("api/v3/depth", symbol="BTCUSDT")
            if arrived and later["bids"] != first["bids"]:
                break
        at_alpha.close()
        at_beta.close()

    assert [row["amount"] for row in arrived] == ["9.00000000"]
    assert later["bids"] != first["bids"]


def test_state_survives_in_the_directory(tmp_path):
    with start_in_thread(two_venues(), tmp_path) as simulator:
        client = RawClient(simulator.url, key=KEYS["alpha"])
        client.order(price="45000", newClientOrderId="kept")
        client.close()

    with start_in_thread(two_venues(), tmp_path) as simulator:
        client = RawClient(simulator.url, key=KEYS["alpha"])
        _, [order] = client.get("api/v3/openOrders")
        client.close()
    assert order["clientOrderId"] == "kept"


def test_latency_is_added_to_every_request():
    with start_in_thread(two_venues(latency_ms=1)) as simulator:
        client = RawClient(simulator.url, key=KEYS["alpha"])
        assert client.get("api/v3/ping") == (200, {})
        assert client.order(price="45000")[0] == 200
        client.close()


def test_stopping_twice_is_no_mistake():
    running = start_in_thread(two_venues())

    running.stop()
    running.stop()

    with pytest.raises(OSError, match="refused"):
        socket.create_connection((HOST, running.port), timeout=5)


def test_stopping_ends_a_late_request_whose_client_has_gone(caplog):
    running = start_in_thread(two_venues())
    running.control.add_fault("alpha", "late_answer", delay_ms=60_000)
    with socket.create_connection((HOST, running.port)) as client:
        client.sendall(b"GET /alpha/api/v3/ping HTTP/1.1\r\nHost: x\r\n\r\n")
        while not running.control.count_strikes("alpha"):
            pass

    running.stop()
    del running
    gc.collect()

    assert caplog.messages == []  # "Task was destroyed but it is pending!"


def test_a_port_in_use_is_told():
    with (
        socket.create_server((HOST, 0)) as taken,
        pytest.raises(Unavailable, match="cannot listen on"),
    ):
        start_in_thread(two_venues(), port=taken.getsockname()[1])


def test_a_wrong_configuration_is_told():
    with pytest.raises(InvalidInput, match="venues: Field required"):
        start_in_thread({"seed": 1})


def test_a_failed_start_gives_the_directory_back(tmp_path):
    config = two_venues()
    config["venues"][0]["replay"] = {
        "path": str(tmp_path / "absent"),
        "exchange": "X",
        "symbol": "BTC/USDT",
    }
    with pytest.raises(InvalidInput, match="cannot be read"):
        start_in_thread(config, tmp_path / "state")

    start_in_thread(two_venues(), tmp_path / "state").stop()


def test_a_bug_looks_like_a_failure_of_the_venue(simulator, ours, caplog):
    world = simulator.control.world
    simulator.control.call(world.venues["alpha"].tapes.clear)

    status, answer = ours.get("api/v3/trades", symbol="BTCUSDT")

    assert (status, answer["code"]) == (500, -1000)
    assert "the simulator failed to answer GET /alpha/api/v3/trades" in caplog.text


def test_an_order_that_cannot_be_written_down_has_an_unknown_outcome(simulator, ours):
    class FullDisk:
        def append(self, facts):
            raise JournalFailed

    simulator.control.world.venues["alpha"].recorder = FullDisk()

    status, answer = ours.order(price="45000")

    assert (status, answer["code"]) == (500, -1006)


def test_makers_go_on_quoting_when_a_fill_cannot_be_written_down(ours, simulator):
    class FullDisk:
        asked = 0

        def append(self, facts):
            FullDisk.asked += 1
            raise JournalFailed

    venue = simulator.control.world.venues["alpha"]
    ours.order(price="50009", quantity="1")
    venue.recorder = FullDisk()

    with pytest.raises(JournalFailed):
        simulator.control.set_book("alpha", "BTC/USDT", [], [("50000", "3")])
    simulator.control.set_book("alpha", "BTC/USDT", [], [("50001", "3")])

    assert FullDisk.asked == 1
    assert venue.engine.listings["BTC/USDT"].book.asks.best() == (500_010, 30_000)


def test_books_can_be_set_from_decimals_too(simulator, anyone):
    simulator.control.set_book("beta", "ETH/BTC", [(Decimal("0.05"), Decimal("1.5"))], [])

    anyone.venue = "beta"
    assert anyone.get("api/v3/depth", symbol="ETHBTC")[1]["bids"] == [["0.05000000", "1.50000000"]]


@pytest.mark.parametrize(
    ("remote", "is_local"),
    [("127.0.0.1", True), ("::1", True), ("10.0.0.1", False), (None, False), ("", False)],
)
def test_statements_are_for_this_machine_only(remote, is_local):
    assert _is_local(remote) is is_local


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["--config", "{absent}"], "cannot be read"),
        (["--config", "{good}", "--port", "70000"], "between 0 and 65535"),
        (["--config", "{good}", "--port", "{taken}"], "Choose another port"),
        (["--config", "{bad}"], "is not valid"),
    ],
)
def test_the_command_refuses_in_one_sentence(tmp_path, arguments, text):
    good, bad = tmp_path / "good.json", tmp_path / "bad.json"
    good.write_text(json.dumps(two_venues()))
    bad.write_text(json.dumps({"venues": [account("x", ("k", "s"))]}))
    with socket.create_server((HOST, 0)) as taken:
        names = {
            "absent": tmp_path / "absent.json",
            "good": good,
            "bad": bad,
            "taken": taken.getsockname()[1],
        }
        with pytest.raises(CommandError, match=text):
            call_command("simulate", *[argument.format(**names) for argument in arguments])


def test_the_command_refuses_a_directory_in_use(tmp_path):
    path = tmp_path / "config.json"
    path.write_text(json.dumps(two_venues()))
    with (
        start_in_thread(two_venues(), tmp_path / "state"),
        pytest.raises(CommandError, match="Another simulator uses the state directory"),
    ):
        call_command("simulate", "--config", path, "--state-dir", tmp_path / "state")


async def test_a_client_that_does_not_read_is_let_go(simulator, monkeypatch, caplog):
    monkeypatch.setattr("markets.simulator.protocol.connection.OUTBOX_MAX", 3)
    reader, writer = await asyncio.open_connection(HOST, simulator.port)
    writer.write(
        b"GET /alpha/ws/btcusdt@bookTicker HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n"
        b"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
        b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
    )
    await reader.readuntil(b"\r\n\r\n")

    venue = simulator.control.world.venues["alpha"]
    listing = venue.engine.listings["BTC/USDT"]

    def flood():
        for index in range(10):
            venue.quote(listing, {400_000 + index: 1}, {})

    await asyncio.to_thread(simulator.control.call, flood)
    await asyncio.wait_for(reader.read(-1), 10)
    writer.close()

    assert "does not read" in caplog.text
