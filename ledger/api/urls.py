"""Addresses under ``/api/``."""

from arbplatform.api.routes import route
from ledger.api.views import (
    EntryListView,
    EntryView,
    EquityView,
    LogListView,
    OrderListView,
    OrderView,
    TradeListView,
)

urlpatterns = [
    route("logs", LogListView.as_view(), name="logs"),
    route("trades", TradeListView.as_view(), name="trades"),
    route("orders", OrderListView.as_view(), name="orders"),
    route("orders/<int:pk>", OrderView.as_view(), name="order"),
    route("entries", EntryListView.as_view(), name="entries"),
    route("entries/<int:pk>", EntryView.as_view(), name="entry"),
    route("equity", EquityView.as_view(), name="equity"),
]
