import pytest

from arbplatform.core.errors import Conflict
from arbplatform.core.stages import Stage
from arbplatform.management.demo_run import STAGES, describe, failures, run_demo
from arbplatform.management.terminal import Terminal

GOOD = {
    "arbitrages": {"cross-venue": 9, "triangular": 2},
    "fills": 24,
    "pnl": {"BTC": "0.00001", "USDT": "12.5"},
    "pnl_total": "13.123456789123",
    "pnl_unpriced": [],
    "reporting_asset": "USDT",
    "imbalance": {},
    "balances_compared": 12,
    "differences": [],
    "orders_unknown": 0,
    "orders_unfinished": 0,
    "errors": 0,
    "restarts": 0,
    "speed": {"send": {"count": 24, "p50_us": 151.04, "p99_us": 2310.0}},
}
DIFFERENCE = {
    "account": "alpha/demo",
    "wallet": "spot",
    "asset": "BTC",
    "booked": "2",
    "stated": "1.9",
}


def test_a_demo_that_traded_both_types_and_balances_is_a_success():
    assert failures(GOOD) == []
    assert describe(GOOD)[-2] == "Every book balances."
    assert "  arbitrages executed   9 cross-venue, 2 triangular" in describe(GOOD)
    assert "  realised PnL          0.00001 BTC, 12.5 USDT" in describe(GOOD)
    assert "  in total              13.12345679 USDT" in describe(GOOD)
    assert "  ledger imbalance      none" in describe(GOOD)
    assert "  against statements    0 differences in 12 balances" in describe(GOOD)
    assert "  durable → sent        p50 0.151 ms, p99 2.310 ms (24 times)" in describe(GOOD)


def test_the_summary_is_told_in_the_language_of_the_terminal(monkeypatch):
    monkeypatch.setenv("LC_ALL", "zh_CN.UTF-8")

    lines = describe(GOOD)

    assert "  已实现盈亏            0.00001 BTC, 12.5 USDT" in lines


def test_a_total_that_leaves_something_out_says_so():
    lines = describe(GOOD | {"pnl_unpriced": ["BTC"]})

    assert "  in total              13.12345679 USDT, without BTC, which have no price" in lines


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"arbitrages": {"cross-venue": 9}}, "no triangular arbitrage was executed"),
        ({"arbitrages": {"triangular": 1, "cross-venue": 0}}, "no cross-venue arbitrage was"),
        ({"imbalance": {"BTC": "0.1"}}, "the ledger is off by 0.1 BTC"),
        (
            {"differences": [DIFFERENCE]},
            "alpha/demo spot: BTC is booked as 2, the venue says 1.9",
        ),
        ({"speed": {}}, "no engine has sent an order"),
        ({"orders_unknown": 1}, "orders with an unknown outcome: 1"),
        ({"orders_unfinished": 2}, "orders that are not finished: 2"),
    ],
)
def test_whatever_does_not_add_up_makes_the_demo_a_failure(change, reason):
    report = GOOD | change

    (found,) = failures(report)

    assert str(found).startswith(reason)
    assert describe(report)[-2] == f"The demo failed: {found}."


def test_every_stage_of_an_engine_has_a_name_for_people():
    assert list(STAGES) == [stage.value for stage in Stage]


async def test_a_demo_does_not_touch_a_directory_that_holds_something(tmp_path):
    (tmp_path / "books.sqlite3").write_text("precious")

    with pytest.raises(Conflict, match="is not empty"):
        await run_demo(seconds=1, data_dir=tmp_path, database_url="", terminal=Terminal())

    assert [path.name for path in tmp_path.iterdir()] == ["books.sqlite3"]
