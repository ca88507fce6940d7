"""Why an execution came to nothing, leg by leg."""

from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from arbplatform.console.admin import plain
from arbplatform.console.tables import table
from arbplatform.wording import render
from ledger.models import Order, OrderStateChoice, TimeInForceChoice
from strategies.models import Execution

AT_ONCE = frozenset({TimeInForceChoice.IOC.value, TimeInForceChoice.FOK.value})
"""Such orders never wait for somebody to trade with."""


def show_failure(execution: Execution) -> SafeString:
    """Return what became of each planned leg of an execution that filled nothing."""
    said: dict[int, list[str]] = {}
    for order in execution.orders.order_by("leg_index", "pk"):
        said.setdefault(order.leg_index, []).append(_explain(order))
    rows = [
        (
            index + 1,
            f"{leg['symbol']} @ {leg['venue']}",
            " ".join(said.get(index, [_("It was not sent.")])),
        )
        for index, leg in enumerate(execution.plan)
    ]
    return table([_("leg"), _("market"), _("reason")], rows)


def _explain(order: Order) -> str:
    """Return why an order filled nothing: what was said of it, else what its end means."""
    error = order.to_error()
    if error.template:
        return render(error)
    if order.state != OrderStateChoice.CANCELED:
        return str(order.get_state_display())
    if order.cancel_requested_at is not None:
        return _("It was cancelled on request before anything was filled.")
    if order.time_in_force in AT_ONCE:
        return _("Nobody was left to trade with at its limit price of {price}.").format(
            price=plain(order.price)
        )
    return _("The venue ended it before anything was filled.")
