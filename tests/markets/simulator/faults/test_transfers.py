"""Networks that are suspended, transfers that are stuck, and deposits that are short."""

from functools import partial

import ccxt
import pytest

from arbplatform.core.errors import InvalidInput
from markets.domain.funds import Wallet
from markets.simulator.faults.config import parse_fault
from markets.simulator.running import start_in_thread
from markets.simulator.settlement import deposit_address
from tests.markets.simulator.worlds import settle, two_venues


@pytest.fixture
def alpha(connect):
    return connect("alpha")


@pytest.fixture
def beta(connect):
    return connect("beta")


def send(alpha, beta, amount=51):
    address = beta.fetch_deposit_address("USDT")["address"]
    return alpha.withdraw("USDT", amount, address, params={"withdrawOrderId": "w-1"})


def total(simulator):
    """Return all USDT there are, on the way and lost in it [units]."""
    world = simulator.control.world
    kept = sum(venue.engine.total_of("USDT") for venue in world.venues.values())
    return kept * 10**18 + world.settlement.in_transit("USDT")


def test_a_suspended_network_says_so_and_sends_nothing(simulator, alpha, beta, spot):
    before = spot()
    simulator.control.add_fault("alpha", "suspend_withdrawals", asset="USDT")

    currencies = alpha.fetch_currencies()
    with pytest.raises(ccxt.OperationRejected, match="not open for withdrawal"):
        send(alpha, beta)

    assert (currencies["USDT"]["withdraw"], currencies["USDT"]["deposit"]) == (False, True)
    assert currencies["BTC"]["withdraw"] is True
    assert currencies["USDT"]["networks"]["TRC20"]["withdraw"] is False
    assert alpha.fetch_withdrawals("USDT") == []
    assert spot() == before
    simulator.control.clear_faults("alpha")
    assert send(alpha, beta)["id"]


def test_deposits_wait_while_their_network_is_suspended(simulator, alpha, beta, spot):
    simulator.control.add_fault("beta", "suspend_deposits", asset="USDT")
    shown = beta.fetch_currencies()["USDT"]

    send(alpha, beta)
    settle(simulator)
    waiting = beta.fetch_deposits("USDT")
    simulator.control.clear_faults("beta")
    settle(simulator)

    assert (shown["deposit"], shown["withdraw"]) == (False, True)
    assert [row["status"] for row in waiting] == ["pending"]
    assert [row["status"] for row in beta.fetch_deposits("USDT")] == ["ok"]
    assert spot(venue="beta")["USDT"][0] == "100050.00000000"


def test_a_stuck_withdrawal_is_processed_until_it_is_let_go(simulator, alpha, beta, spot):
    before = total(simulator)
    simulator.control.add_fault("alpha", "stuck_withdrawal", account="ours")

    send(alpha, beta)
    settle(simulator)
    settle(simulator)
    [stuck] = alpha.fetch_withdrawals("USDT")
    waiting = beta.fetch_deposits("USDT")
    left = spot()["USDT"][0], total(simulator)
    [row] = simulator.control.list_faults("alpha")
    simulator.control.clear_faults("alpha")
    settle(simulator)

    assert (stuck["status"], stuck["txid"], waiting) == ("pending", None, [])
    assert left == ("99949.00000000", before)
    assert row["struck"] == 1
    assert alpha.fetch_withdrawals("USDT")[0]["status"] == "ok"
    assert spot(venue="beta")["USDT"][0] == "100050.00000000"
    assert total(simulator) == before


def test_a_stuck_deposit_has_left_its_venue_and_is_seen_coming(simulator, alpha, beta, spot):
    before = total(simulator)
    simulator.control.add_fault("beta", "stuck_deposit", asset="USDT")

    send(alpha, beta)
    settle(simulator)
    [sent], [coming] = alpha.fetch_withdrawals("USDT"), beta.fetch_deposits("USDT")
    credited = spot(venue="beta")["USDT"][0]
    during = total(simulator)
    simulator.control.clear_faults("beta")
    settle(simulator)

    assert (sent["status"], coming["status"], coming["amount"]) == ("ok", "pending", 50.0)
    assert sent["txid"] == coming["txid"] != ""
    assert credited == "100000.00000000"
    assert beta.fetch_deposits("USDT")[0]["status"] == "ok"
    assert spot(venue="beta")["USDT"][0] == "100050.00000000"
    assert during == total(simulator) == before


def test_less_arrives_than_was_sent(simulator, alpha, beta, spot):
    before = total(simulator)
    simulator.control.add_fault("beta", "short_deposit", asset="USDT", amount="0.5")

    send(alpha, beta)
    settle(simulator)

    assert alpha.fetch_withdrawals("USDT")[0]["amount"] == 50.0
    assert beta.fetch_deposits("USDT")[0]["amount"] == 49.5
    assert spot(venue="beta")["USDT"][0] == "100049.50000000"
    assert simulator.control.list_faults("beta") == []
    assert total(simulator) == before


def test_no_more_can_be_missing_than_was_sent(simulator, alpha, beta, spot):
    simulator.control.add_fault("beta", "short_deposit", amount="500")

    send(alpha, beta)
    settle(simulator)

    assert spot(venue="beta")["USDT"][0] == "100000.00000000"


def test_other_assets_and_accounts_are_not_held(simulator, alpha, beta, spot):
    simulator.control.add_fault("beta", "stuck_deposit", asset="BTC")
    simulator.control.add_fault("beta", "short_deposit", asset="BTC", amount="1")

    send(alpha, beta)
    settle(simulator)

    assert spot(venue="beta")["USDT"][0] == "100050.00000000"


@pytest.mark.parametrize("kind", ["stuck_withdrawal", "stuck_deposit", "suspend_deposits"])
def test_what_is_held_is_let_go_by_time_or_by_hand_only(kind):
    assert parse_fault({"kind": kind, "times": None}).times is None
    with pytest.raises(InvalidInput, match=f"{kind} ends with for_ms or when it is removed"):
        parse_fault({"kind": kind, "times": 2})


def test_where_a_transfer_stopped_and_what_was_lost_survive_a_restart(tmp_path):
    def withdraw(simulator):
        world = simulator.control.world
        alpha, settlement = world.venues["alpha"], world.settlement
        settlement.withdraw(
            alpha,
            "ours",
            wallet=Wallet.SPOT,
            asset="USDT",
            amount=51 * 10**18,
            address=deposit_address("beta", "ours", "USDT"),
            client_id="",
        )

    with start_in_thread(two_venues(), tmp_path) as simulator:
        simulator.control.add_fault("beta", "stuck_deposit")
        simulator.control.call(partial(withdraw, simulator))
        settle(simulator)
    with start_in_thread(two_venues(), tmp_path) as simulator:
        [transfer] = simulator.control.world.settlement.transfers.values()
        assert (transfer.status.value, bool(transfer.tx_id)) == ("sent", True)
        simulator.control.add_fault("beta", "short_deposit", amount="0.5")
        settle(simulator)
    with start_in_thread(two_venues(), tmp_path) as simulator:
        [transfer] = simulator.control.world.settlement.transfers.values()
        balances = simulator.control.statement("beta", "ours")["balances"]["spot"]

        assert (transfer.status.value, transfer.lost) == ("completed", 5 * 10**17)
        assert balances["USDT"]["free"] == "100049.50000000"
