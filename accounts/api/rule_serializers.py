"""How the rules of transfers look on the wire: addresses, networks, and their history."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from accounts.domain.limits import LIMIT_NAMES
from accounts.domain.rules import RuleKind
from accounts.models import (
    AddressEntry,
    AddressStateChoice,
    RuleChange,
    TransferLimit,
    VenueNetwork,
)
from accounts.selectors import list_rule_changes
from accounts.services.addresses import LABEL_LENGTH_MAX
from accounts.services.history import REASON_LENGTH_MAX
from arbplatform.api.fields import AmountField, AuthorField, BodySerializer, SentenceField

ID_MAX = 2**63 - 1
CHANGES_MAX = 100
WHY = "Why: the platform's own reasons in the reader's language, what people typed as it is."


class RuleChangeSerializer(serializers.ModelSerializer[RuleChange]):
    """Who changed what, when and why."""

    before = serializers.JSONField(read_only=True)
    after = serializers.JSONField(read_only=True)
    reason = SentenceField(source="to_reason", help_text=WHY)

    class Meta:
        model = RuleChange
        fields = ("event", "before", "after", "reason", "changed_by", "changed_at")
        read_only_fields = fields


class AddressSerializer(serializers.ModelSerializer[AddressEntry]):
    """An entry of the address book."""

    account_name = serializers.CharField(source="account.__str__", read_only=True)
    asset = serializers.CharField(source="asset.code", read_only=True)
    state = serializers.ChoiceField(choices=AddressStateChoice.choices, read_only=True)
    reason = SentenceField(source="to_reason", help_text=WHY)
    proposed_by = AuthorField()
    approved_by = AuthorField()

    class Meta:
        model = AddressEntry
        fields = (
            "id",
            "account",
            "account_name",
            "asset",
            "network",
            "address",
            "tag",
            "label",
            "state",
            "reason",
            "proposed_by",
            "approved_by",
            "approved_at",
            "usable_at",
            "created_at",
        )
        read_only_fields = fields


class AddressDetailSerializer(AddressSerializer):
    """An entry of the address book with its history."""

    changes = serializers.SerializerMethodField()

    class Meta(AddressSerializer.Meta):
        fields = (*AddressSerializer.Meta.fields, "changes")  # type: ignore[assignment]
        read_only_fields = fields  # type: ignore[assignment]  # one more than its base

    @extend_schema_field(RuleChangeSerializer(many=True))
    def get_changes(self, entry: AddressEntry) -> Any:
        """Return the history, the oldest change first."""
        changes = list_rule_changes(kind=RuleKind.ADDRESS, target_id=entry.pk)[:CHANGES_MAX]
        return RuleChangeSerializer(changes, many=True).data


class ProposeAddressSerializer(BodySerializer):
    """What proposes an address."""

    account = serializers.IntegerField(min_value=1, max_value=ID_MAX, help_text="Who receives.")
    asset = serializers.CharField(max_length=32)
    network = serializers.CharField(
        max_length=32, required=False, allow_blank=True, help_text="Any name of the network."
    )
    label = serializers.CharField(max_length=LABEL_LENGTH_MAX)  # type: ignore[assignment]
    address = serializers.CharField(
        max_length=200,
        required=False,
        allow_blank=True,
        help_text="What you expect: refused if the venue states another one. "
        "Left out: what the venue states.",
    )


class ReasonSerializer(BodySerializer):
    """Why something is done."""

    reason = serializers.CharField(max_length=REASON_LENGTH_MAX)


class SettleSerializer(BodySerializer):
    """How a transfer ended."""

    has_arrived = serializers.BooleanField(help_text="False: the funds never left the source.")
    arrived_amount = AmountField(
        required=False,
        allow_null=True,
        positive=True,
        help_text="What was credited. Left out: what the destination showed, else all but the fee.",
    )
    reason = serializers.CharField(
        max_length=REASON_LENGTH_MAX, help_text="What you saw, and where."
    )


class NetworkSerializer(serializers.ModelSerializer[VenueNetwork]):
    """What a venue calls one of our networks."""

    venue = serializers.SlugField(source="venue.code", read_only=True)
    confirmed_by = AuthorField()

    class Meta:
        model = VenueNetwork
        fields = ("id", "venue", "network", "venue_name", "confirmed_by", "created_at")
        read_only_fields = fields


class ConfirmNetworkSerializer(BodySerializer):
    """What confirms the name of a network."""

    venue = serializers.SlugField(max_length=32, help_text="Code of the venue.")
    network = serializers.CharField(max_length=32, help_text="Our name of it, or any known one.")
    venue_name = serializers.CharField(max_length=32, help_text="To the letter as the venue does.")


class TransferLimitSerializer(serializers.ModelSerializer[TransferLimit]):
    """Limits of transfers [reporting asset]; null: none, or for an account those for all."""

    transfer_max = AmountField(read_only=True, allow_null=True)
    account_day_max = AmountField(read_only=True, allow_null=True)
    total_day_max = AmountField(read_only=True, allow_null=True)
    approval_above = AmountField(read_only=True, allow_null=True)

    class Meta:
        model = TransferLimit
        fields = ("account", *LIMIT_NAMES, "updated_at")
        read_only_fields = fields


class SetLimitsSerializer(BodySerializer):
    """What sets the limits of an account, or those for all; what is left out is no limit."""

    account = serializers.IntegerField(
        required=False,
        allow_null=True,
        min_value=1,
        max_value=ID_MAX,
        help_text="Who sends. Left out: for all accounts.",
    )
    transfer_max = AmountField(required=False, allow_null=True, help_text="Of one transfer.")
    account_day_max = AmountField(
        required=False, allow_null=True, help_text="Of one account in a UTC day."
    )
    total_day_max = AmountField(
        required=False, allow_null=True, help_text="Of all accounts in a UTC day."
    )
    approval_above = AmountField(
        required=False, allow_null=True, help_text="Above it a second person has to agree."
    )


class WayQuerySerializer(serializers.Serializer[Any]):
    """Between which accounts, and of what."""

    to_account = serializers.IntegerField(min_value=1, max_value=ID_MAX)
    asset = serializers.CharField(max_length=32)


class WaySerializer(serializers.Serializer[Any]):
    """A network that both venues know, as they state it now."""

    network = serializers.CharField(read_only=True)
    source_name = serializers.CharField(read_only=True, allow_null=True)
    target_name = serializers.CharField(read_only=True, allow_null=True)
    is_open = serializers.BooleanField(
        read_only=True, help_text="False: withdrawals or deposits are suspended."
    )
    fee = AmountField(read_only=True, allow_null=True)
    withdraw_min = AmountField(source="source.withdraw_min", read_only=True, default=None)
    withdraw_step = AmountField(source="source.withdraw_step", read_only=True, default=None)
