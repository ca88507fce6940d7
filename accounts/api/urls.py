"""Addresses under ``/api/``."""

from accounts.api.rule_views import (
    AddressApproveView,
    AddressListView,
    AddressRevokeView,
    AddressView,
    NetworkListView,
    NetworkView,
    TransferApproveView,
    TransferCancelView,
    TransferConfirmView,
    TransferLimitsView,
    TransferSettleView,
    WaysView,
)
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
    route("accounts/<int:pk>/ways", WaysView.as_view(), name="account-ways"),
    route("addresses", AddressListView.as_view(), name="addresses"),
    route("addresses/<int:pk>", AddressView.as_view(), name="address"),
    route("addresses/<int:pk>/approve", AddressApproveView.as_view(), name="address-approve"),
    route("addresses/<int:pk>/revoke", AddressRevokeView.as_view(), name="address-revoke"),
    route("networks", NetworkListView.as_view(), name="networks"),
    route("networks/<int:pk>", NetworkView.as_view(), name="network"),
    route("transfers", TransferListView.as_view(), name="transfers"),
    route("transfers/<int:pk>", TransferView.as_view(), name="transfer"),
    route("transfers/<int:pk>/approve", TransferApproveView.as_view(), name="transfer-approve"),
    route("transfers/<int:pk>/cancel", TransferCancelView.as_view(), name="transfer-cancel"),
    route("transfers/<int:pk>/settle", TransferSettleView.as_view(), name="transfer-settle"),
    route("transfers/<int:pk>/confirm", TransferConfirmView.as_view(), name="transfer-confirm"),
    route("transfer-limits", TransferLimitsView.as_view(), name="transfer-limits"),
]
