"""The routes under ``/api/reconciliation``."""

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework.generics import ListAPIView
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from ledger.api.filters import DiscrepancyFilter, RunFilter
from ledger.api.reconciliation_serializers import (
    DiscrepancySerializer,
    NoteBodySerializer,
    ReconciliationRunSerializer,
    StandingSerializer,
)
from ledger.models import (
    AccountReconciliation,
    Discrepancy,
    ReconciliationRun,
)
from ledger.selectors.reconciliation import (
    get_discrepancy,
    list_discrepancies,
    list_reconciliations,
    list_runs,
)
from ledger.services.decisions import book_discrepancy
from ledger.services.discrepancies import acknowledge
from ledger.services.reconciler import reconcile_account


class StandingListView(ListAPIView[AccountReconciliation]):
    """Where the reconciliation of each account stands."""

    serializer_class = StandingSerializer
    ordering_fields = ("account_id", "last_run_at", "last_clean_at")

    def get_queryset(self) -> QuerySet[AccountReconciliation]:
        """Return all accounts that were ever compared."""
        return list_reconciliations()

    @extend_schema(operation_id="reconciliation_list")
    def get(self, request: Request) -> Response:
        """List accounts with the last time that they were equal to their venue."""
        return self.list(request)


class RunListView(ListAPIView[ReconciliationRun]):
    """What comparing came to."""

    serializer_class = ReconciliationRunSerializer
    filterset_class = RunFilter
    ordering_fields = ("id", "started_at")

    def get_queryset(self) -> QuerySet[ReconciliationRun]:
        """Return all reconciliations."""
        return list_runs()

    @extend_schema(operation_id="reconciliation_runs_list")
    def get(self, request: Request) -> Response:
        """List comparisons, the newest first."""
        return self.list(request)


class CompareView(APIView):
    """Compare one account now."""

    write_permission = "ledger.view_accountreconciliation"

    @extend_schema(
        operation_id="reconciliation_compare", request=None, responses=ReconciliationRunSerializer
    )
    def post(self, request: Request, pk: int) -> Response:
        """Compare the account with everything that its venue tells."""
        run = reconcile_account(account_id=pk, asks_all=True)
        return Response(ReconciliationRunSerializer(run).data)


class DiscrepancyListView(ListAPIView[Discrepancy]):
    """On what books and venues disagree, and what happened without the platform."""

    serializer_class = DiscrepancySerializer
    filterset_class = DiscrepancyFilter
    ordering_fields = ("id", "first_seen_at", "last_seen_at")

    def get_queryset(self) -> QuerySet[Discrepancy]:
        """Return all discrepancies."""
        return list_discrepancies()

    @extend_schema(operation_id="discrepancies_list")
    def get(self, request: Request) -> Response:
        """List discrepancies, those seen last first."""
        return self.list(request)


class DiscrepancyView(APIView):
    """One discrepancy."""

    @extend_schema(operation_id="discrepancies_retrieve", responses=DiscrepancySerializer)
    def get(self, request: Request, pk: int) -> Response:
        """Show a discrepancy."""
        return Response(DiscrepancySerializer(get_discrepancy(pk)).data)


class BookView(APIView):
    """Book a discrepancy because a person says what it was."""

    write_permission = "ledger.add_entry"

    @extend_schema(
        operation_id="discrepancies_book",
        request=NoteBodySerializer,
        responses=DiscrepancySerializer,
    )
    def post(self, request: Request, pk: int) -> Response:
        """Book the difference as moved outside, or reverse a trade that the venue has voided."""
        book_discrepancy(discrepancy_id=pk, note=_note_of(request), user=request.user)
        return Response(DiscrepancySerializer(get_discrepancy(pk)).data)


class AcknowledgeDiscrepancyView(APIView):
    """Note that a person knows what a discrepancy is."""

    write_permission = "ledger.add_entry"

    @extend_schema(
        operation_id="discrepancies_acknowledge",
        request=NoteBodySerializer,
        responses=DiscrepancySerializer,
    )
    def post(self, request: Request, pk: int) -> Response:
        """Acknowledge a discrepancy; nothing is booked."""
        acknowledge(discrepancy_id=pk, note=_note_of(request), user=request.user)
        return Response(DiscrepancySerializer(get_discrepancy(pk)).data)


def _note_of(request: Request) -> str:
    body = NoteBodySerializer(data=request.data)
    body.is_valid(raise_exception=True)
    return str(body.validated_data["note"])
