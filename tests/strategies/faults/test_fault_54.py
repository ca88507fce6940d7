"""Dust is kept in the books by strategy and asset, and sold along with the next sale that can."""

from decimal import Decimal as D
from html import unescape

import pytest

from ledger.domain.orders import OrderState
from ledger.models import AssetPrice
from ledger.selectors import imbalances
from markets.models import Asset, Market
from strategies.domain.states import ExecutionState
from strategies.models import Attribution, Dust, Execution, Opportunity
from strategies.selectors import map_dust
from strategies.services.dust import report_dust
from strategies.services.evidence import recompute
from strategies.services.runs import stop_strategy
from strategies.services.settlement import settle_execution
from strategies.services.setups import SETUPS
from tests.strategies.faults.play import is_exact, tick

pytestmark = pytest.mark.django_db


@pytest.fixture
def coarse(edge):
    """Lots so large that every arbitrage leaves something over."""
    Market.objects.update(lot=D("0.001"), quantity_min=D("0.001"))
    SETUPS.clear()
    return edge


def renew(edge):
    edge["alpha"].set_book("BTC/USDT", bids=[("49990", "1")], asks=[("50000", "1")])
    edge["beta"].set_book("BTC/USDT", bids=[("50500", "1")], asks=[("50510", "1")])


def dust_of(strategy_id):
    return map_dust([strategy_id]).get(strategy_id, {})


def left_over():
    """Return what all finished executions left over, straight from the ledger's figures."""
    rows = Execution.objects.filter(state__in=("completed", "unwound"))
    return sum(D(row.residuals.get("BTC", "0")) for row in rows)


def test_leftovers_are_collected_and_sold_along_when_a_whole_lot_has_come_together(
    cross, coarse, accounts
):
    executions = []
    for _round in range(4):
        renew(coarse)
        executions.append(tick(cross))
        assert dust_of(cross.pk) == {"BTC": left_over()}

    carried = [D(execution.plan[1]["carried"]) for execution in executions]
    assert carried[0] == 0
    assert sum(carried) > 0
    first = executions[carried.index(next(amount for amount in carried if amount))]
    assert {order.state for order in first.orders.all()} == {OrderState.FILLED}
    assert first.state == ExecutionState.COMPLETED
    assert D(first.residuals["BTC"]) < 0  # it sold what others had left over
    assert 0 <= left_over() < D("0.002")  # and less than two lots are never kept
    assert imbalances() == {}
    assert is_exact(accounts)


def test_a_sale_that_took_dust_along_is_the_same_decision_again_and_adds_up(cross, coarse):
    for _round in range(4):
        renew(coarse)
        tick(cross)

    assert all(
        recompute(opportunity_id=row.pk).matches
        for row in Opportunity.objects.filter(decision="executed")
    )
    assert set(Attribution.objects.values_list("is_exact", flat=True)) == {True}


def test_a_sale_that_fell_short_sells_the_dust_first_and_is_repaired_for_the_rest(
    cross, coarse, accounts
):
    Dust.objects.create(strategy=cross, asset=Asset.objects.get(code="BTC"), amount=D("0.0105"))

    def drain(request):
        coarse["beta"].before_submit = None
        coarse["beta"].books["BTC/USDT"][0][0][1] = D("0.2")

    coarse["beta"].before_submit = drain

    execution = tick(cross)

    assert D(execution.plan[1]["carried"]) == D("0.010")
    assert execution.state in (ExecutionState.COMPLETED, ExecutionState.UNWOUND)
    own = D(execution.residuals["BTC"]) + D("0.010")
    assert 0 <= own < D("0.001")  # the arbitrage itself left less than a lot
    assert dust_of(cross.pk) == {"BTC": D("0.0105") + D(execution.residuals["BTC"])}
    assert is_exact(accounts)


def test_settling_again_counts_nothing_twice(cross, coarse):
    execution = tick(cross)
    before = dust_of(cross.pk)

    for _time in range(3):
        settle_execution(execution_id=execution.pk)

    assert dust_of(cross.pk) == before == {"BTC": left_over()}


def test_an_exposure_that_is_held_is_no_dust(held):
    assert dust_of(held.strategy_id) == {}


def test_dust_is_shown_with_advice_in_console_and_api(cross, coarse, user_api, console):
    btc, usdt = (Asset.objects.get(code=code) for code in ("BTC", "USDT"))
    execution = tick(cross)
    AssetPrice.objects.create(
        asset=btc, reporting_asset=usdt, price=D(50_000), priced_at=execution.created_at
    )

    [row] = user_api.get("/api/dust", {"strategy_id": cross.pk}).json()["data"]
    page = unescape(console.get("/admin/strategies/dust/").content.decode())

    amount = D(execution.residuals["BTC"])
    assert (row["asset"], D(row["amount"])) == ("BTC", amount)
    assert D(row["worth"]) == amount * 50_000
    assert row["advice"] == "convert"
    assert "conversion of small balances" in row["advice_text"]
    assert row["advice_text"] in page
    assert row["amount"] in page
    assert user_api.get("/api/dust", {"strategy_id": 4711}).json()["data"] == []


def test_a_strategy_at_rest_is_advised_to_sell_by_hand_what_is_enough(cross, coarse):
    btc, usdt = (Asset.objects.get(code=code) for code in ("BTC", "USDT"))
    Dust.objects.create(strategy=cross, asset=btc, amount=D("0.0105"))
    assert report_dust(strategy_id=cross.pk)[0].advice == "next_sale"
    stop_strategy(strategy_id=cross.pk, user=None, reason="test")
    AssetPrice.objects.create(
        asset=btc, reporting_asset=usdt, price=D(50_000), priced_at=cross.started_at
    )

    [line] = report_dust()

    assert line.advice == "sell"
    assert str(line.message) == (
        "It is enough for an order: 0.01 of BTC/USDT can be sold on alpha by hand."
    )


def test_the_advice_is_given_in_the_readers_language(cross, coarse, user_api):
    tick(cross)

    [row] = user_api.get("/api/dust", headers={"accept-language": "zh-hans"}).json()["data"]

    assert "小额资产兑换" in row["advice_text"]
