"""Self-trade prevention ends an order like a cancellation, and names the strategies that met."""

from decimal import Decimal as D

from ledger.domain.orders import OrderState
from ledger.errors import SelfTradePrevented
from ledger.models import LogEntry, LogLevel
from strategies.models import Strategy


def owned_by(execution):
    return {"strategy_id": execution.strategy_id, "execution_id": execution.pk}


def test_an_order_that_met_ours_is_cancelled_and_the_strategies_are_named(make_execution, wire):
    one = Strategy.objects.create(name="the maker", type="cross-venue")
    two = Strategy.objects.create(name="the taker", type="cross-venue")
    wire.set_book([("49000", "1")], [("50020", "1")])
    resting = wire.rest(price="50005", **owned_by(make_execution(one)))

    taking = wire.send("sell", price="50005", **owned_by(make_execution(two)))

    ended = wire.look_up(resting)
    assert (taking.state, taking.filled_quantity) == (OrderState.CANCELED, D(0))
    assert (ended.state, ended.filled_quantity) == (OrderState.CANCELED, D(0))
    assert ended.error_code == SelfTradePrevented.code
    assert "Orders faced it of: the taker." in str(ended.to_error())
    entry = LogEntry.objects.get(event="order_self_trade")
    assert (entry.level, entry.strategy_id) == (LogLevel.WARNING, one.pk)
    wire.assert_exact()
