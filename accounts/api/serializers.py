"""How accounts, balances and transfers look on the wire. Secrets go in and never out."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from accounts.domain.permissions import find_warnings, from_json
from accounts.models import Balance, Transfer, TransferStateChoice, VenueAccount, WalletChoice
from accounts.services.accounts import KEY_LENGTH_MAX as SECRET_LENGTH_MAX
from accounts.services.requests import KEY_LENGTH_MAX
from arbplatform.api.fields import (
    AmountField,
    AuthorField,
    BodySerializer,
    ChoiceField,
    SentenceField,
)
from arbplatform.wording import render


class PermissionSerializer(serializers.Serializer):  # type: ignore[type-arg]
    """One right of an API key."""

    name = serializers.CharField(
        help_text="read, trade, withdraw, transfer or ip_restricted.", read_only=True
    )
    is_granted = serializers.BooleanField(
        allow_null=True, help_text="Null: the venue does not tell.", read_only=True
    )
    detail = serializers.CharField(help_text="The venue's own words.", read_only=True)


class AccountSerializer(serializers.ModelSerializer[VenueAccount]):
    """An account as anybody who may log in sees it."""

    venue = serializers.SlugField(source="venue.code", read_only=True)
    permissions = PermissionSerializer(many=True, read_only=True)
    test_error = SentenceField(source="to_test_error")
    sync_error = SentenceField(source="to_sync_error")
    warnings = serializers.SerializerMethodField(
        help_text="What one should know about the rights of the key."
    )

    class Meta:
        model = VenueAccount
        fields = (
            "id",
            "venue",
            "label",
            "api_key_tail",
            "is_enabled",
            "allows_transfers",
            "permissions",
            "warnings",
            "tested_at",
            "is_key_refused",
            "test_error_code",
            "test_error",
            "synced_at",
            "sync_error_code",
            "sync_error",
            "created_at",
            "updated_at",
        )
        read_only_fields = fields

    @extend_schema_field(serializers.ListField(child=serializers.CharField()))
    def get_warnings(self, account: VenueAccount) -> list[str]:
        """Return the warnings in the reader's language."""
        return [render(warning) for warning in find_warnings(from_json(account.permissions))]


def _secret(**kwargs: Any) -> serializers.CharField:
    return serializers.CharField(
        write_only=True, max_length=SECRET_LENGTH_MAX, style={"input_type": "password"}, **kwargs
    )


class CreateAccountSerializer(BodySerializer):
    """What registers an account."""

    venue = serializers.SlugField(max_length=32, help_text="Code of the venue.")
    label = serializers.CharField(max_length=64)  # type: ignore[assignment]  # hides Field.label
    api_key = _secret()
    api_secret = _secret()
    passphrase = _secret(required=False, allow_blank=True)
    is_enabled = serializers.BooleanField(default=True)
    allows_transfers = serializers.BooleanField(
        default=False,
        help_text="Whether funds may be sent away. If not, a key that may withdraw is refused.",
    )


class UpdateAccountSerializer(BodySerializer):
    """What changes an account. An empty secret, or none, keeps the stored one."""

    venue = serializers.SlugField(
        max_length=32, required=False, help_text="Cannot change; taken if it is the present one."
    )
    label = serializers.CharField(max_length=64)  # type: ignore[assignment]  # hides Field.label
    api_key = _secret(required=False, allow_blank=True)
    api_secret = _secret(required=False, allow_blank=True)
    passphrase = _secret(required=False, allow_blank=True)
    is_enabled = serializers.BooleanField(required=False)
    allows_transfers = serializers.BooleanField(required=False)


class ConnectionReportSerializer(serializers.Serializer):  # type: ignore[type-arg]
    """What a successful test of the connection found out."""

    permissions = PermissionSerializer(many=True, source="findings", read_only=True)
    warnings = serializers.SerializerMethodField()
    tested_at = serializers.DateTimeField(source="account.tested_at", read_only=True)

    @extend_schema_field(serializers.ListField(child=serializers.CharField()))
    def get_warnings(self, report: object) -> list[str]:
        """Return the warnings in the reader's language."""
        return [render(warning) for warning in getattr(report, "warnings", ())]


class BalanceSerializer(serializers.ModelSerializer[Balance]):
    """What an account holds of an asset in one wallet."""

    asset = serializers.CharField(source="asset.code", read_only=True)
    free = AmountField(read_only=True)
    held = AmountField(read_only=True)
    total = AmountField(read_only=True)
    reserved = AmountField(
        read_only=True, help_text="What orders and transfers under way may still spend."
    )

    class Meta:
        model = Balance
        fields = ("wallet", "asset", "free", "held", "total", "reserved", "synced_at")
        read_only_fields = ("wallet", "synced_at")


class TransferSerializer(serializers.ModelSerializer[Transfer]):
    """A transfer and how far it has come."""

    from_account_name = serializers.CharField(source="from_account.__str__", read_only=True)
    to_account_name = serializers.CharField(source="to_account.__str__", read_only=True)
    asset = serializers.CharField(source="asset.code", read_only=True)
    amount = AmountField(read_only=True)
    fee = AmountField(read_only=True, allow_null=True)
    fee_stated = AmountField(read_only=True, allow_null=True)
    fee_max = AmountField(read_only=True, allow_null=True)
    arrived_amount = AmountField(read_only=True, allow_null=True)
    state = serializers.ChoiceField(choices=TransferStateChoice.choices, read_only=True)
    requested_by = AuthorField()
    approved_by = AuthorField()
    error = SentenceField(source="to_error")
    value = AmountField(read_only=True, allow_null=True)

    class Meta:
        model = Transfer
        fields = (
            "id",
            "from_account",
            "from_account_name",
            "from_wallet",
            "to_account",
            "to_account_name",
            "to_wallet",
            "asset",
            "amount",
            "fee",
            "arrived_amount",
            "network",
            "fee_stated",
            "fee_max",
            "address_entry",
            "address",
            "tag",
            "state",
            "error_code",
            "error",
            "note",
            "idempotency_key",
            "client_transfer_id",
            "venue_transfer_id",
            "venue_deposit_id",
            "tx_id",
            "requested_by",
            "approved_by",
            "value",
            "test_transfer",
            "settlement",
            "alarmed_at",
            "next_lookup_at",
            "created_at",
            "submitted_at",
            "arrived_at",
        )
        read_only_fields = fields


class RequestTransferSerializer(BodySerializer):
    """What asks for a transfer."""

    to_account = serializers.IntegerField(
        required=False,
        allow_null=True,
        min_value=1,
        max_value=2**63 - 1,
        help_text="Id of the receiving account. Left out: between wallets of the same account.",
    )
    from_wallet = ChoiceField(choices=WalletChoice.choices)
    to_wallet = ChoiceField(choices=WalletChoice.choices)
    asset = serializers.CharField(max_length=32)
    amount = AmountField(positive=True, help_text="What leaves the source, network fee included.")
    network = serializers.CharField(
        max_length=32,
        required=False,
        allow_blank=True,
        help_text="Any name of it. Left out: the only one that both venues know.",
    )
    fee_max = AmountField(
        required=False,
        allow_null=True,
        help_text="Highest network fee that is accepted when it is sent. "
        "Left out: what the sending venue states now.",
    )
    test_amount = AmountField(
        required=False,
        allow_null=True,
        positive=True,
        help_text="A part of the amount that is sent first: the rest follows when it has arrived.",
    )
    idempotency_key = serializers.CharField(
        max_length=KEY_LENGTH_MAX,
        required=False,
        help_text="Needed here or in the header Idempotency-Key: a repeated request with the "
        "same key moves nothing twice.",
    )
