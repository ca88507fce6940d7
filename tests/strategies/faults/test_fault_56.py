"""No amount ever passes through a float: money modules may not even write one."""

from decimal import Decimal as D

import pytest

from arbplatform.core.decimals import to_decimal
from ledger.selectors import wallet_balances
from tests.architecture.test_rules import FLOATS_THAT_ARE_NO_MONEY, MONEY_MODULES, ROOT, floats_in
from tests.strategies.faults.play import is_exact, tick


def test_amounts_that_floats_cannot_hold_are_read_as_they_are():
    assert to_decimal(0.1) + to_decimal(0.2) == D("0.3")
    assert to_decimal("10000000.000000000000000001") == D("10000000.000000000000000001")


@pytest.mark.parametrize("line", ["price = 0.1", "price = float(text)"])
def test_the_rule_sees_a_float_wherever_it_is_written(line):
    assert floats_in(line) == [1]


def test_no_money_module_writes_one():
    found = {str(path.relative_to(ROOT)): floats_in(path.read_text()) for path in MONEY_MODULES}

    assert {name for name, lines in found.items() if lines} <= FLOATS_THAT_ARE_NO_MONEY.keys()
    assert len(found) > 50


@pytest.mark.django_db
def test_after_many_odd_trades_books_and_venue_agree_to_the_last_digit(cross, edge, accounts):
    for number in range(1, 6):
        odd = f"0.{number}0001"
        edge["alpha"].set_book("BTC/USDT", bids=[], asks=[(f"50000.0{number}", odd)])
        edge["beta"].set_book("BTC/USDT", bids=[(f"50500.0{number}", odd)], asks=[])
        tick(cross)

    assert is_exact(accounts)
    held = wallet_balances(account_id=accounts[0].pk)
    assert held["USDT"] == edge["alpha"].free["USDT"] < 1_000_000
