"""Filters of the lists."""

import django_filters
from django.db.models import Q, QuerySet

from accounts.models import (
    AddressEntry,
    AddressStateChoice,
    Balance,
    Transfer,
    TransferStateChoice,
    VenueAccount,
    VenueNetwork,
    WalletChoice,
)
from arbplatform.api.filters import (
    ChoiceFilter,
    FlagFilter,
    IdFilter,
    since_filter,
    until_filter,
)


class AccountFilter(django_filters.FilterSet):
    """Accounts by venue."""

    venue = django_filters.CharFilter(field_name="venue__code")
    is_enabled = FlagFilter()

    class Meta:
        model = VenueAccount
        fields = ("venue", "is_enabled")


class BalanceFilter(django_filters.FilterSet):
    """Balances of an account by wallet and asset."""

    wallet = ChoiceFilter(choices=WalletChoice.choices)
    asset = django_filters.CharFilter(field_name="asset__code")

    class Meta:
        model = Balance
        fields = ("wallet", "asset")


class TransferFilter(django_filters.FilterSet):
    """Transfers by account, asset, state and time."""

    account = IdFilter(method="filter_account", label="Id of the sending or receiving account.")
    asset = django_filters.CharFilter(field_name="asset__code")
    state = ChoiceFilter(choices=TransferStateChoice.choices)
    since = since_filter("created_at")
    until = until_filter("created_at")

    class Meta:
        model = Transfer
        fields = ("account", "asset", "state", "since", "until")

    def filter_account(
        self, queryset: QuerySet[Transfer], _name: str, value: object
    ) -> QuerySet[Transfer]:
        """Keep what goes from or to the account."""
        return queryset.filter(Q(from_account_id=value) | Q(to_account_id=value))


class AddressFilter(django_filters.FilterSet):
    """Entries of the address book by account, asset and state."""

    account = IdFilter(field_name="account_id", label="Id of the account that receives.")
    asset = django_filters.CharFilter(field_name="asset__code")
    state = ChoiceFilter(choices=AddressStateChoice.choices)

    class Meta:
        model = AddressEntry
        fields = ("account", "asset", "network", "state")


class NetworkFilter(django_filters.FilterSet):
    """Confirmed names of networks by venue."""

    venue = django_filters.CharFilter(field_name="venue__code")

    class Meta:
        model = VenueNetwork
        fields = ("venue", "network")
