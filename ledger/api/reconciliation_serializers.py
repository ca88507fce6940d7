"""How reconciliations and discrepancies look on the wire."""

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from accounts.models import WalletChoice
from arbplatform.api.fields import AmountField, AuthorField, BodySerializer, SentenceField
from arbplatform.wording import render
from ledger.domain.advice import advise
from ledger.domain.reconciliation import DiscrepancyKind, DiscrepancyState
from ledger.models import (
    AccountReconciliation,
    Discrepancy,
    DiscrepancyKindChoice,
    DiscrepancyStateChoice,
    ReconciliationRun,
    RunOutcomeChoice,
)
from ledger.selectors.reconciliation import count_unsolved
from ledger.services.discrepancies import NOTE_LENGTH_MAX


class NoteBodySerializer(BodySerializer):
    """Why a person decides so."""

    note = serializers.CharField(max_length=NOTE_LENGTH_MAX, help_text="What it is, for people.")


class FeeBodySerializer(NoteBodySerializer):
    """What a trade cost, and how a person knows."""

    fee = AmountField(help_text="What was taken; 0: nothing; negative: a rebate.")
    asset = serializers.CharField(
        max_length=32,
        required=False,
        default="",
        help_text="Its coin, one of the market or the one that the venue names. Default: that one.",
    )


class StandingSerializer(serializers.ModelSerializer[AccountReconciliation]):
    """Where the reconciliation of one account stands."""

    account = serializers.CharField(source="account.label", read_only=True)
    venue = serializers.CharField(source="account.venue.code", read_only=True)
    unsolved = serializers.SerializerMethodField(
        help_text="Discrepancies that are neither explained nor booked nor gone."
    )

    class Meta:
        model = AccountReconciliation
        fields = (
            "account_id",
            "account",
            "venue",
            "last_run_at",
            "last_clean_at",
            "failure_count",
            "unsolved",
        )
        read_only_fields = fields

    def get_unsolved(self, row: AccountReconciliation) -> int:
        """Return how many discrepancies need something."""
        return count_unsolved(row.account_id)


class ReconciliationRunSerializer(serializers.ModelSerializer[ReconciliationRun]):
    """One comparison of one account."""

    outcome = serializers.ChoiceField(choices=RunOutcomeChoice.choices, read_only=True)
    error = SentenceField(source="to_error")

    class Meta:
        model = ReconciliationRun
        fields = (
            "id",
            "account_id",
            "started_at",
            "finished_at",
            "outcome",
            "booked_count",
            "unsolved_count",
            "error_code",
            "error",
        )
        read_only_fields = fields


class DiscrepancySerializer(serializers.ModelSerializer[Discrepancy]):
    """Something on which books and venue disagree, with all that a person should know."""

    account = serializers.CharField(source="account.label", read_only=True)
    venue = serializers.CharField(source="account.venue.code", read_only=True)
    kind = serializers.ChoiceField(choices=DiscrepancyKindChoice.choices, read_only=True)
    state = serializers.ChoiceField(choices=DiscrepancyStateChoice.choices, read_only=True)
    booked = AmountField(read_only=True, allow_null=True)
    stated = AmountField(read_only=True, allow_null=True)
    what = serializers.SerializerMethodField(help_text="What happened.")
    risk = serializers.SerializerMethodField(help_text="What is at risk.")
    action = serializers.SerializerMethodField(help_text="What the platform does.")
    choice = serializers.SerializerMethodField(help_text="What you can do.")
    note = SentenceField(
        source="to_note", help_text="What a person says it is: as typed, or where they said so."
    )
    evidence = serializers.DictField(read_only=True, child=serializers.CharField(allow_blank=True))
    acknowledged_by = AuthorField()

    wallet = serializers.ChoiceField(
        choices=WalletChoice.choices,
        allow_blank=True,
        read_only=True,
        help_text="Empty unless it is about a balance.",
    )

    class Meta:
        model = Discrepancy
        fields = (
            "id",
            "account_id",
            "account",
            "venue",
            "kind",
            "subject",
            "state",
            "wallet",
            "asset",
            "booked",
            "stated",
            "what",
            "risk",
            "action",
            "choice",
            "evidence",
            "seen_count",
            "first_seen_at",
            "last_seen_at",
            "closed_at",
            "entry_id",
            "acknowledged_by",
            "acknowledged_at",
            "note",
        )
        read_only_fields = fields

    @extend_schema_field(serializers.CharField())
    def get_what(self, row: Discrepancy) -> str:
        """Return the explanation in the reader's language."""
        return render(row.to_message())

    @extend_schema_field(serializers.CharField())
    def get_risk(self, row: Discrepancy) -> str:
        """Return what may be lost."""
        return render(advise(DiscrepancyKind(row.kind), DiscrepancyState(row.state)).risk)

    @extend_schema_field(serializers.CharField())
    def get_action(self, row: Discrepancy) -> str:
        """Return what the platform does."""
        return render(advise(DiscrepancyKind(row.kind), DiscrepancyState(row.state)).action)

    @extend_schema_field(serializers.CharField())
    def get_choice(self, row: Discrepancy) -> str:
        """Return what a person can do."""
        return render(advise(DiscrepancyKind(row.kind), DiscrepancyState(row.state)).choice)
