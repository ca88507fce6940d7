"""Addresses under ``/api/``."""

from accounts.api.views import (
    AccountBalancesView,
    AccountListView,
    AccountTestView,
    AccountTransferView,
    AccountView,
    TransferListView,
    TransferView,
)
from arbplatform.api.routes import route

urlpatterns = [
    route("accounts", AccountListView.as_view(), name="accounts"),
    route("accounts/<int:pk>", AccountView.as_view(), name="account"),
    route("accounts/<int:pk>/test", AccountTestView.as_view(), name="account-test"),
    route("accounts/<int:pk>/balances", AccountBalancesView.as_view(), name="account-balances"),
    route("accounts/<int:pk>/transfer", AccountTransferView.as_view(), name="account-transfer"),
    route("transfers", TransferListView.as_view(), name="transfers"),
    route("transfers/<int:pk>", TransferView.as_view(), name="transfer"),
]
