"""What survives: the journal's file and the state that is made of it."""

import asyncio
import json
import os
from decimal import Decimal as D
from typing import Any

import pytest

from arbplatform.core.errors import Conflict, InvalidInput
from markets.domain.funds import Wallet
from markets.domain.orders import Side, TimeInForce
from markets.simulator.config import parse_config
from markets.simulator.control import statement
from markets.simulator.exchange.orders import Ticket
from markets.simulator.exchange.units import UNITS_PER_ONE
from markets.simulator.settlement import deposit_address
from markets.simulator.storage import journal as journal_module
from markets.simulator.storage.facts import Facts, order_to_row
from markets.simulator.storage.journal import FILE_NAME, Journal, JournalFailed
from markets.simulator.storage.state import IDS_SKIPPED, dump, restore
from markets.simulator.world import World
from tests.markets.simulator.worlds import two_venues


class Lives:
    """One simulation, life after life, on the same directory."""

    def __init__(self, directory, clock):
        self.path = directory / FILE_NAME
        self.clock = clock
        self.journals: list[Journal] = []

    @property
    def journal(self) -> Journal:
        return self.journals[-1]

    def __call__(self, config=None):
        """End the present life as suddenly as SIGKILL would and begin the next one."""
        self.close()
        self.journals.append(Journal(self.path.parent))
        world = World(parse_config(config or two_venues()), clock=self.clock, recorder=self.journal)
        restore(world, self.journal.read())
        self.journal.rewrite(dump(world))
        return world

    def close(self):
        for journal in self.journals:
            journal.close()


@pytest.fixture
def live(tmp_path, clock):
    lives = Lives(tmp_path / "state", clock)
    yield lives
    lives.close()


def trade(world, label="ours", **ticket):
    venue = world.venues["alpha"]
    usual: dict[str, Any] = {"side": Side.BUY, "quantity": D("0.1"), "price": D(50_000)}
    return venue.place(
        venue.engine.accounts[label],
        venue.engine.listings["BTC/USDT"],
        Ticket(**usual | ticket),
    ).order


def picture(world):
    """Return everything that must survive, as plain values."""
    picture: dict[Any, Any] = {}
    for code, venue in world.venues.items():
        for account in venue.customers:
            orders = sorted(account.orders.values(), key=lambda order: order.id)
            picture[code, account.label] = {
                "statement": statement(world, venue, account.label)["balances"],
                "orders": [order_to_row(order) for order in orders],
                "open": {name: set(found) for name, found in account.open_orders.items() if found},
                "client_ids": list(account.client_ids),
                "trades": {
                    name: [(e.id, e.order.id, e.price, e.cost, e.fee, e.is_maker) for e in found]
                    for name, found in account.trades.items()
                },
                "moves": list(venue.wallet_transfers.get(account.label, ())),
            }
        book = venue.engine.listings["BTC/USDT"].book
        picture[code, "book"] = (book.bids.depth(50), book.asks.depth(50))
    picture["transfers"] = {
        number: transfer.to_row() for number, transfer in world.settlement.transfers.items()
    }
    return picture


def play(world, clock):
    """Leave every kind of fact behind."""
    venue = world.venues["alpha"]
    trade(world, "other", side=Side.SELL, price=D(50_010), client_id="resting")
    trade(world, price=D(50_010), quantity=D("0.04"), client_id="took")
    trade(world, price=D(49_000), client_id="open")
    trade(world, price=D(48_000), time_in_force=TimeInForce.IOC, client_id="expired")
    venue.cancel(trade(world, price=D(47_000), client_id="cancelled"))
    account = venue.engine.accounts["ours"]
    venue.move(account, "USDT", 5 * UNITS_PER_ONE, Wallet.SPOT, Wallet.FUNDING)
    for amount, address in (
        (7, deposit_address("beta", "ours", "USDT")),
        (8, "0x" + "0" * 40),
        (9, deposit_address("beta", "ours", "USDT")),
    ):
        world.settlement.withdraw(
            venue,
            "ours",
            wallet=Wallet.SPOT,
            asset="USDT",
            amount=amount * UNITS_PER_ONE,
            address=address,
            client_id=f"w-{amount}",
        )
        if amount == 8:
            clock.advance_ms(60_000)
            world.settlement.settle(clock.now_ms())


def test_everything_survives_a_sudden_end(live, clock):
    world = live()
    play(world, clock)
    before = picture(world)

    after = picture(live())

    assert after == before
    assert len(before["transfers"]) == 3


def test_everything_survives_a_second_and_third_life(live, clock):
    world = live()
    play(world, clock)
    before = picture(world)

    live()
    third = live()

    assert picture(third) == before


def test_the_journal_holds_no_secrets(live, clock):
    play(live(), clock)

    text = live.path.read_text()

    assert "secret" not in text
    assert "key-alpha" not in text
    assert live.path.stat().st_mode & 0o077 == 0


def test_a_life_goes_on_where_the_last_one_ended(live, clock):
    world = live()
    play(world, clock)
    old = world.venues["alpha"].engine.accounts["ours"].by_client_id["open"]

    world = live()
    venue = world.venues["alpha"]
    order = venue.engine.accounts["ours"].by_client_id["open"]
    assert venue.cancel(order)
    clock.advance_ms(60_000)
    world.settlement.settle(clock.now_ms())
    fresh = trade(world, price=D(49_000))

    assert fresh.id > old.id + IDS_SKIPPED
    assert world.venues["beta"].engine.free_of("ours", "USDT") == 100_000 + 6 + 8
    assert picture(live()) == picture(world)


def test_a_torn_last_line_is_passed_over(live, clock):
    world = live()
    play(world, clock)
    before = picture(world)
    with live.path.open("ab") as file:
        file.write(b'{"v":"alpha","b":[["ours","USDT","0"')

    assert picture(live()) == before


def test_reading_a_record_twice_changes_nothing(live, clock):
    world = live()
    play(world, clock)
    before = picture(world)
    live.path.write_bytes(live.path.read_bytes() * 2)

    assert picture(live()) == before


def test_a_damaged_line_in_the_middle_is_told(live, clock):
    play(live(), clock)
    lines = live.path.read_bytes().splitlines(keepends=True)
    live.path.write_bytes(b"".join([*lines[:3], b"garbage\n", *lines[3:]]))

    with pytest.raises(InvalidInput, match="Line 4 of the journal"):
        live()


def test_balances_of_the_configuration_are_given_once_and_to_new_accounts(live):
    world = live()
    trade(world, price=D(40_000))
    config = two_venues()
    config["venues"][0]["accounts"][0]["balances"] = {"spot": {"USDT": "1"}}
    config["venues"][0]["accounts"].append(
        {
            "label": "late",
            "api_key": "key-late",
            "api_secret": "s",
            "balances": {"spot": {"USDT": "12"}},
        }
    )

    engine = live(config).venues["alpha"].engine

    assert engine.free_of("ours", "USDT") == 96_000
    assert engine.free_of("late", "USDT") == 12


def test_an_account_that_is_no_longer_configured_keeps_what_it_has(live):
    trade(live(), "other", price=D(40_000))
    config = two_venues()
    del config["venues"][0]["accounts"][1]

    venue = live(config).venues["alpha"]

    assert venue.engine.held_of("other", "USDT") == 4_000
    assert "key-other" not in venue.keys


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (lambda config: config["venues"].pop(0), "the venue alpha is missing"),
        (
            lambda config: config["venues"][0]["markets"][0].update(tick="0.01"),
            "orders on BTCUSDT with another tick or lot",
        ),
        (
            lambda config: config["venues"][0]["markets"].pop(0),
            "orders on BTCUSDT with another tick or lot",
        ),
        (
            lambda config: (
                config["venues"][0]["markets"].pop(1),
                config["venues"][0]["assets"].remove("ETH"),
            ),
            "balances of ETH",
        ),
    ],
)
def test_a_configuration_that_does_not_fit_is_refused(live, change, text):
    trade(live(), price=D(40_000))
    config = two_venues()
    change(config)

    with pytest.raises(Conflict, match=text):
        live(config)


def test_two_simulators_cannot_share_a_directory(tmp_path):
    first = Journal(tmp_path)

    with pytest.raises(Conflict, match="Another simulator uses"):
        Journal(tmp_path)

    first.close()
    Journal(tmp_path).close()


def test_a_directory_that_cannot_be_made_is_told(tmp_path):
    (tmp_path / "file").write_text("in the way")

    with pytest.raises(InvalidInput, match="cannot be used"):
        Journal(tmp_path / "file" / "state")


async def test_a_compaction_while_others_write_loses_nothing(live, clock):
    world = live()
    play(world, clock)
    for price in range(100):
        trade(world, price=D(40_000 + price), quantity=D("0.001"))
    compaction = asyncio.create_task(live.journal.compact(dump(world)))
    for index in range(5):
        await asyncio.sleep(0)
        trade(world, price=D(30_000), quantity=D("0.001"), client_id=f"meanwhile-{index}")
        clock.advance_ms(60_000)
        world.settlement.settle(clock.now_ms())
    await compaction
    trade(world, price=D(30_000), quantity=D("0.001"), client_id="afterwards")
    before = picture(world)

    assert picture(live()) == before
    assert not live.path.with_suffix(".new").exists()


async def test_a_compaction_that_is_cut_short_leaves_the_old_file(live, clock):
    world = live()
    play(world, clock)
    before = picture(world)

    def failing():
        yield Facts("alpha")
        raise RuntimeError("enough")

    with pytest.raises(RuntimeError, match="enough"):
        await live.journal.compact(failing())
    trade(world, price=D(30_000))

    assert len(picture(live())["alpha", "ours"]["orders"]) == (
        len(before["alpha", "ours"]["orders"]) + 1
    )


def test_a_compaction_is_due_when_the_file_has_grown_to_twice_its_size(live, monkeypatch):
    monkeypatch.setattr(journal_module, "COMPACT_ABOVE_BYTES", 100)
    world = live()
    assert live.journal.is_large is False

    while live.journal.size <= 2 * live.journal._compacted_size:
        trade(world, price=D(40_000), time_in_force=TimeInForce.IOC)

    assert live.journal.is_large is True


def test_the_file_shrinks_when_states_replace_each_other(live):
    world = live()
    order = trade(world, price=D(40_000))
    for _ in range(200):
        world.venues["alpha"].cancel(order)
        order = trade(world, price=D(40_000), client_id="")
    grown = live.path.stat().st_size

    live()

    assert live.path.stat().st_size < grown / 2


def test_a_fact_that_cannot_be_written_is_not_told_and_written_later(live, monkeypatch):
    world = live()
    real_write = os.write

    def full(number, data):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.write", full)
    with pytest.raises(JournalFailed):
        trade(world, price=D(40_000), client_id="unlucky")
    monkeypatch.setattr("os.write", real_write)
    trade(world, price=D(40_000), client_id="lucky")

    orders = live().venues["alpha"].engine.accounts["ours"].by_client_id
    assert set(orders) == {"unlucky", "lucky"}


def test_a_disk_that_stays_full_ends_the_simulation(live, monkeypatch):
    world = live()
    monkeypatch.setattr(journal_module, "UNWRITTEN_BYTES_MAX", 10)

    def full(number, data):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.write", full)

    with pytest.raises(SystemExit, match="cannot be written"):
        trade(world, price=D(40_000))


def test_a_write_that_takes_a_part_only_is_continued(live, monkeypatch, clock):
    world = live()
    real_write = os.write
    monkeypatch.setattr("os.write", lambda number, data: real_write(number, bytes(data[:7])))
    play(world, clock)
    monkeypatch.undo()

    assert picture(live()) == picture(world)
    for line in live.path.read_text().splitlines():
        json.loads(line)


def test_client_ids_of_forgotten_orders_survive(live, monkeypatch):
    monkeypatch.setattr("markets.simulator.exchange.accounts.ORDERS_KEPT_MAX", 2)
    world = live()
    for index in range(5):
        trade(world, price=D(40_000), time_in_force=TimeInForce.IOC, client_id=f"c{index}")
    live()

    account = live().venues["alpha"].engine.accounts["ours"]

    assert set(account.client_ids) == {f"c{index}" for index in range(5)}
    assert len(account.orders) == 2
