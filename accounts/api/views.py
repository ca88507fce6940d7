"""The routes under ``/api/accounts`` and ``/api/transfers``."""

from collections.abc import Mapping
from typing import Any

from django.db.models import QuerySet
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import status
from rest_framework.generics import GenericAPIView, ListAPIView
from rest_framework.mixins import ListModelMixin
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.api.filters import AccountFilter, BalanceFilter, TransferFilter
from accounts.api.serializers import (
    AccountSerializer,
    BalanceSerializer,
    ConnectionReportSerializer,
    CreateAccountSerializer,
    RequestTransferSerializer,
    TransferSerializer,
    UpdateAccountSerializer,
)
from accounts.models import Balance, Transfer, VenueAccount
from accounts.selectors import (
    get_account,
    get_transfer,
    list_accounts,
    list_balances,
    list_transfers,
    lock_account,
    lock_transfer,
    read_sealed_secrets,
)
from accounts.services.accounts import (
    create_account,
    delete_account,
    test_connection,
    update_account,
)
from accounts.services.requests import request_transfer
from accounts.services.settlement import read_proposal
from arbplatform.api.permissions import write_permissions
from arbplatform.api.versions import VersionedView, as_read, versioned
from arbplatform.core.errors import InvalidInput, Message
from markets.domain.funds import Wallet
from markets.selectors import get_venue

IDEMPOTENCY_HEADER = "Idempotency-Key"


class AccountListView(ListModelMixin, GenericAPIView[VenueAccount]):
    """Accounts at venues."""

    write_permission = write_permissions("accounts.venueaccount")
    serializer_class = AccountSerializer
    filterset_class = AccountFilter
    ordering_fields = ("id", "label", "venue__code", "created_at", "tested_at", "synced_at")

    def get_queryset(self) -> QuerySet[VenueAccount]:
        """Return all accounts."""
        return list_accounts()

    @extend_schema(operation_id="accounts_list")
    def get(self, request: Request) -> Response:
        """List accounts."""
        return self.list(request)

    @extend_schema(
        operation_id="accounts_create",
        request=CreateAccountSerializer,
        responses={201: AccountSerializer},
    )
    def post(self, request: Request) -> Response:
        """Register an account; its connection is tested in the background."""
        body = CreateAccountSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        values = body.validated_data
        venue = get_venue(code=values.pop("venue"))
        account = create_account(venue=venue, **values)
        return Response(AccountSerializer(account).data, status=status.HTTP_201_CREATED)


_OPEN_FIELDS = ("label", "is_enabled", "allows_transfers")


class AccountView(VersionedView):
    """One account."""

    write_permission = write_permissions("accounts.venueaccount")

    def list_settings(self, *, is_locking: bool, **place: Any) -> Mapping[str, object]:
        """Return what can be set; its secrets, which nobody can read, as they are stored."""
        get_one = lock_account if is_locking else get_account
        account = get_one(place["pk"])
        values = {name: getattr(account, name) for name in _OPEN_FIELDS}
        return {**values, "secrets": read_sealed_secrets(account.pk)}

    @extend_schema(operation_id="accounts_retrieve", responses=AccountSerializer)
    @versioned
    def get(self, request: Request, pk: int) -> Response:
        """Show an account."""
        return Response(AccountSerializer(get_account(pk)).data)

    @extend_schema(
        operation_id="accounts_update",
        request=UpdateAccountSerializer,
        responses=AccountSerializer,
    )
    @as_read
    def put(self, request: Request, pk: int) -> Response:
        """Change an account; secrets that are not sent, or empty, stay as they are."""
        return self._update(request, pk, is_partial=False)

    @extend_schema(
        operation_id="accounts_partial_update",
        request=UpdateAccountSerializer(partial=True),
        responses=AccountSerializer,
    )
    @as_read
    def patch(self, request: Request, pk: int) -> Response:
        """Change parts of an account."""
        return self._update(request, pk, is_partial=True)

    @extend_schema(operation_id="accounts_destroy", responses={204: None})
    @as_read
    def delete(self, request: Request, pk: int) -> Response:
        """Remove an account that nothing depends on."""
        delete_account(account_id=pk)
        return Response(status=status.HTTP_204_NO_CONTENT)

    def _update(self, request: Request, pk: int, *, is_partial: bool) -> Response:
        account = get_account(pk)
        body = UpdateAccountSerializer(data=request.data, partial=is_partial)
        body.is_valid(raise_exception=True)
        values: dict[str, Any] = body.validated_data
        if values.pop("venue", account.venue.code) != account.venue.code:
            complaint = Message(
                "The venue of an account cannot change. Register a new account there."
            )
            raise InvalidInput(fields={"venue": [complaint]})
        return Response(AccountSerializer(update_account(account_id=pk, **values)).data)


class AccountTestView(APIView):
    """The connection of one account."""

    write_permission = "accounts.change_venueaccount"

    @extend_schema(operation_id="accounts_test", request=None, responses=ConnectionReportSerializer)
    def post(self, request: Request, pk: int) -> Response:
        """Ask the venue what the key may do; a failure is answered with its exact cause."""
        return Response(ConnectionReportSerializer(test_connection(account_id=pk)).data)


class AccountBalancesView(ListAPIView[Balance]):
    """What one account holds."""

    serializer_class = BalanceSerializer
    filterset_class = BalanceFilter
    ordering_fields = ("wallet", "asset__code", "free", "held")
    queryset = Balance.objects.none()  # tells the API document the model

    def get_queryset(self) -> QuerySet[Balance]:
        """Return the balances of the account.

        Raises:
            AccountNotFound: no account has this id.
        """
        if getattr(self, "swagger_fake_view", False):
            return self.queryset
        return list_balances(get_account(self.kwargs["pk"]).pk)

    @extend_schema(operation_id="accounts_balances")
    def get(self, request: Request, pk: int) -> Response:
        """List what the venue last stated, by wallet and asset."""
        return self.list(request)


class AccountTransferView(APIView):
    """Transfers away from one account."""

    write_permission = "accounts.add_transfer"
    has_own_keys = True  # a transfer keeps its key for good, not for a day

    @extend_schema(
        operation_id="accounts_transfer",
        request=RequestTransferSerializer,
        responses={201: TransferSerializer},
        parameters=[
            OpenApiParameter(
                IDEMPOTENCY_HEADER,
                OpenApiTypes.STR,
                OpenApiParameter.HEADER,
                description="Your name for this request, unless the body has one.",
            )
        ],
    )
    def post(self, request: Request, pk: int) -> Response:
        """Ask for a transfer. It is carried out in the background: follow it by its id."""
        body = RequestTransferSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        values: dict[str, Any] = body.validated_data
        transfer = request_transfer(
            from_account_id=pk,
            to_account_id=values.get("to_account"),
            from_wallet=Wallet(values["from_wallet"]),
            to_wallet=Wallet(values["to_wallet"]),
            asset=values["asset"],
            amount=values["amount"],
            network=values.get("network", ""),
            fee_max=values.get("fee_max"),
            test_amount=values.get("test_amount"),
            idempotency_key=_read_key(request, values.get("idempotency_key", "")),
            user=request.user if request.user.is_authenticated else None,
        )
        return Response(TransferSerializer(transfer).data, status=status.HTTP_201_CREATED)


class TransferListView(ListAPIView[Transfer]):
    """Transfers of all accounts."""

    serializer_class = TransferSerializer
    filterset_class = TransferFilter
    ordering_fields = ("id", "created_at", "amount", "state", "arrived_at")

    def get_queryset(self) -> QuerySet[Transfer]:
        """Return all transfers."""
        return list_transfers()

    @extend_schema(operation_id="transfers_list")
    def get(self, request: Request) -> Response:
        """List transfers, the newest first."""
        return self.list(request)


class ProposedEndView(VersionedView):
    """A transfer about whose end people may propose something."""

    def list_settings(self, *, is_locking: bool, **place: Any) -> Mapping[str, object]:
        """Return what is proposed, and who proposes it."""
        get_one = lock_transfer if is_locking else get_transfer
        return read_proposal(get_one(place["pk"]))


class TransferView(ProposedEndView):
    """One transfer."""

    @extend_schema(operation_id="transfers_retrieve", responses=TransferSerializer)
    @versioned
    def get(self, request: Request, pk: int) -> Response:
        """Show a transfer."""
        return Response(TransferSerializer(get_transfer(pk)).data)


def _read_key(request: Request, in_body: str) -> str:
    """Return the idempotency key of a request, wherever it was put.

    Raises:
        InvalidInput: there is none, or there are two that differ.
    """
    in_header = request.headers.get(IDEMPOTENCY_HEADER, "")
    if in_header and in_body and in_header != in_body:
        complaint = Message(
            "The header Idempotency-Key and the body name different keys. Send one."
        )
        raise InvalidInput(fields={"idempotency_key": [complaint]})
    key = in_header or in_body
    if not key:
        complaint = Message(
            "Name the request in the header Idempotency-Key or in this field, "
            "so that repeating it moves nothing twice."
        )
        raise InvalidInput(fields={"idempotency_key": [complaint]})
    return key
