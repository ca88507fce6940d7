"""The routes under ``/api/reconciliation``."""

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework.generics import ListAPIView
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from arbplatform.api.versions import HEADER, VERSION, WANTED, require_version, tell_version
from ledger.api.filters import DiscrepancyFilter, RunFilter
from ledger.api.reconciliation_serializers import (
    DiscrepancySerializer,
    FeeBodySerializer,
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
from ledger.services.discrepancies import acknowledge, name_figures
from ledger.services.fee_decisions import settle_fee
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

    @extend_schema(
        operation_id="discrepancies_retrieve",
        parameters=[VERSION],
        responses=DiscrepancySerializer,
    )
    def get(self, request: Request, pk: int) -> Response:
        """Show a discrepancy."""
        row = get_discrepancy(pk)
        return tell_version(_version_of(row), Response(DiscrepancySerializer(row).data))


class BookView(APIView):
    """Book a discrepancy because a person says what it was."""

    write_permission = "ledger.add_entry"

    @extend_schema(
        operation_id="discrepancies_book",
        parameters=[WANTED],
        request=NoteBodySerializer,
        responses=DiscrepancySerializer,
    )
    def post(self, request: Request, pk: int) -> Response:
        """Book the difference as moved outside, or reverse a trade that the venue has voided."""
        note, seen = _note_of(request), _seen_in(request, pk)
        book_discrepancy(discrepancy_id=pk, note=note, user=request.user, seen=seen)
        return Response(DiscrepancySerializer(get_discrepancy(pk)).data)


class SettleFeeView(APIView):
    """Book what a trade cost because a person says so."""

    write_permission = "ledger.add_entry"

    @extend_schema(
        operation_id="discrepancies_settle_fee",
        parameters=[WANTED],
        request=FeeBodySerializer,
        responses=DiscrepancySerializer,
    )
    def post(self, request: Request, pk: int) -> Response:
        """Book the fee of a trade whose venue states one that is not believed."""
        body = FeeBodySerializer(data=request.data)
        body.is_valid(raise_exception=True)
        seen = _seen_in(request, pk)
        settle_fee(discrepancy_id=pk, user=request.user, seen=seen, **body.validated_data)
        return Response(DiscrepancySerializer(get_discrepancy(pk)).data)


class AcknowledgeDiscrepancyView(APIView):
    """Note that a person knows what a discrepancy is."""

    write_permission = "ledger.add_entry"

    @extend_schema(
        operation_id="discrepancies_acknowledge",
        parameters=[WANTED],
        request=NoteBodySerializer,
        responses=DiscrepancySerializer,
    )
    def post(self, request: Request, pk: int) -> Response:
        """Acknowledge a discrepancy; nothing is booked."""
        note, seen = _note_of(request), _seen_in(request, pk)
        acknowledge(discrepancy_id=pk, note=note, user=request.user, seen=seen)
        return Response(DiscrepancySerializer(get_discrepancy(pk)).data)


def _note_of(request: Request) -> str:
    body = NoteBodySerializer(data=request.data)
    body.is_valid(raise_exception=True)
    return str(body.validated_data["note"])


def _version_of(row: Discrepancy) -> str:
    return f'"{name_figures(row)}"'


def _seen_in(request: Request, pk: int) -> str | None:
    """Return what the client has seen, if it says so, for the service to compare with once more.

    Raises:
        ChangedMeanwhile: it is another difference by now.
    """
    if HEADER not in request.headers:
        return None
    row = get_discrepancy(pk)
    require_version(request, _version_of(row))
    return name_figures(row)
