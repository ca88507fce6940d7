"""Addresses under ``/api/``."""

from arbplatform.api.routes import route
from ledger.api import reconciliation_views as reconciliation
from ledger.api.views import (
    DisownOrderView,
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
    route("orders/<int:pk>/disown", DisownOrderView.as_view(), name="order-disown"),
    route("entries", EntryListView.as_view(), name="entries"),
    route("entries/<int:pk>", EntryView.as_view(), name="entry"),
    route("reconciliation", reconciliation.StandingListView.as_view(), name="reconciliation"),
    route(
        "reconciliation/accounts/<int:pk>/compare",
        reconciliation.CompareView.as_view(),
        name="reconciliation-compare",
    ),
    route("reconciliation/runs", reconciliation.RunListView.as_view(), name="reconciliation-runs"),
    route(
        "reconciliation/discrepancies",
        reconciliation.DiscrepancyListView.as_view(),
        name="discrepancies",
    ),
    route(
        "reconciliation/discrepancies/<int:pk>",
        reconciliation.DiscrepancyView.as_view(),
        name="discrepancy",
    ),
    route(
        "reconciliation/discrepancies/<int:pk>/book",
        reconciliation.BookView.as_view(),
        name="discrepancy-book",
    ),
    route(
        "reconciliation/discrepancies/<int:pk>/settle-fee",
        reconciliation.SettleFeeView.as_view(),
        name="discrepancy-settle-fee",
    ),
    route(
        "reconciliation/discrepancies/<int:pk>/acknowledge",
        reconciliation.AcknowledgeDiscrepancyView.as_view(),
        name="discrepancy-acknowledge",
    ),
    route("equity", EquityView.as_view(), name="equity"),
]
