"""The routes of the address book, of networks, and of the ways between accounts."""

from collections.abc import Mapping
from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.generics import GenericAPIView
from rest_framework.mixins import ListModelMixin
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.api.filters import AddressFilter, NetworkFilter
from accounts.api.rule_serializers import (
    AddressDetailSerializer,
    AddressSerializer,
    ConfirmNetworkSerializer,
    NetworkSerializer,
    ProposeAddressSerializer,
    ReasonSerializer,
    SetLimitsSerializer,
    SettleSerializer,
    TransferLimitSerializer,
    WayQuerySerializer,
    WaySerializer,
)
from accounts.api.serializers import TransferSerializer
from accounts.api.views import ProposedEndView
from accounts.domain.limits import LIMIT_NAMES, TransferLimits
from accounts.domain.routes import explain_no_way, is_unstated, list_ways
from accounts.errors import InvalidTransfer
from accounts.models import AddressEntry, TransferLimit, VenueNetwork
from accounts.selectors import (
    get_account_with_secrets,
    get_address,
    get_transfer,
    list_addresses,
    list_limits,
    list_networks,
)
from accounts.services.addresses import approve_address, propose_address, revoke_address
from accounts.services.approvals import approve_transfer, cancel_transfer
from accounts.services.history import require_staff
from accounts.services.limits import lock_limits, save_limits
from accounts.services.networks import confirm_network, forget_network
from accounts.services.routes import read_sides
from accounts.services.settlement import confirm_settlement, settle_transfer
from arbplatform.api.versions import VersionedView, as_read, versioned
from markets.selectors import get_asset, get_venue


class AddressListView(ListModelMixin, GenericAPIView[AddressEntry]):
    """The address book."""

    write_permission = "accounts.add_addressentry"
    serializer_class = AddressSerializer
    filterset_class = AddressFilter
    ordering_fields = ("id", "created_at", "state")

    def get_queryset(self) -> QuerySet[AddressEntry]:
        """Return every entry."""
        return list_addresses()

    @extend_schema(operation_id="addresses_list")
    def get(self, request: Request) -> Response:
        """List the entries, the newest first."""
        return self.list(request)

    @extend_schema(
        operation_id="addresses_propose",
        request=ProposeAddressSerializer,
        responses={201: AddressDetailSerializer},
    )
    def post(self, request: Request) -> Response:
        """Propose where an account receives an asset; another person has to approve it."""
        body = ProposeAddressSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        values = dict(body.validated_data)
        entry = propose_address(account_id=values.pop("account"), user=request.user, **values)
        return Response(AddressDetailSerializer(entry).data, status=status.HTTP_201_CREATED)


class AddressView(APIView):
    """One entry of the address book."""

    @extend_schema(operation_id="addresses_retrieve", responses=AddressDetailSerializer)
    def get(self, request: Request, pk: int) -> Response:
        """Show an entry with its history."""
        return Response(AddressDetailSerializer(get_address(pk)).data)


class AddressApproveView(APIView):
    """The word of the second person."""

    write_permission = "accounts.change_addressentry"

    @extend_schema(
        operation_id="addresses_approve", request=None, responses=AddressDetailSerializer
    )
    def post(self, request: Request, pk: int) -> Response:
        """Approve what somebody else proposed; usable when the cooling time is over."""
        entry = approve_address(entry_id=pk, user=request.user)
        return Response(AddressDetailSerializer(entry).data)


class AddressRevokeView(APIView):
    """Taking an address out of use."""

    write_permission = "accounts.change_addressentry"

    @extend_schema(
        operation_id="addresses_revoke",
        request=ReasonSerializer,
        responses=AddressDetailSerializer,
    )
    def post(self, request: Request, pk: int) -> Response:
        """Revoke an entry, at once."""
        body = ReasonSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        reason = body.validated_data["reason"]
        entry = revoke_address(entry_id=pk, reason=reason, user=request.user)
        return Response(AddressDetailSerializer(entry).data)


class NetworkListView(ListModelMixin, GenericAPIView[VenueNetwork]):
    """What venues call our networks."""

    write_permission = "accounts.add_venuenetwork"
    serializer_class = NetworkSerializer
    filterset_class = NetworkFilter
    ordering_fields = ("id", "network", "venue_name")

    def get_queryset(self) -> QuerySet[VenueNetwork]:
        """Return every confirmed name."""
        return list_networks()

    @extend_schema(operation_id="networks_list")
    def get(self, request: Request) -> Response:
        """List the confirmed names."""
        return self.list(request)

    @extend_schema(
        operation_id="networks_confirm",
        request=ConfirmNetworkSerializer,
        responses={201: NetworkSerializer},
    )
    def post(self, request: Request) -> Response:
        """Confirm what a venue means by a name."""
        body = ConfirmNetworkSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        values = dict(body.validated_data)
        venue = get_venue(code=values.pop("venue"))
        row = confirm_network(venue=venue, user=request.user, **values)
        return Response(NetworkSerializer(row).data, status=status.HTTP_201_CREATED)


class NetworkView(APIView):
    """One confirmed name."""

    write_permission = "accounts.change_venuenetwork"

    @extend_schema(operation_id="networks_forget", responses={204: None})
    def delete(self, request: Request, pk: int) -> Response:
        """Take back what was confirmed."""
        forget_network(network_id=pk, user=request.user)
        return Response(status=status.HTTP_204_NO_CONTENT)


class WaysView(APIView):
    """The networks between two accounts."""

    query_class = WayQuerySerializer

    @extend_schema(
        operation_id="accounts_ways",
        parameters=[WayQuerySerializer],
        responses=WaySerializer(many=True),
    )
    def get(self, request: Request, pk: int) -> Response:
        """Ask both venues which networks lead there, what they cost, and whether they are open.

        If none does, the error says what each venue lists. An empty list: simulated venues that
        say nothing about networks and use their own; leave `network` out of the transfer.
        """
        query = self.query_class(data=request.query_params)
        query.is_valid(raise_exception=True)
        values = query.validated_data
        source = get_account_with_secrets(pk)
        target = get_account_with_secrets(values["to_account"])
        asset = get_asset(values["asset"]).code  # a venue's list without it looks like a broken one
        sides = read_sides(source=source, target=target, asset=asset)
        ways = list_ways(*sides)
        if not ways and not is_unstated(*sides):
            raise InvalidTransfer(cause=explain_no_way(*sides, asset=asset))
        return Response(WaySerializer(ways, many=True).data)


class TransferLimitsView(VersionedView, ListModelMixin, GenericAPIView[TransferLimit]):
    """Limits of transfers."""

    write_permission = "accounts.change_transferlimit"
    serializer_class = TransferLimitSerializer
    ordering_fields = ("key",)
    # OPTIONS would look for the one row that a PUT changes; the address names none
    metadata_class = None

    def get_queryset(self) -> QuerySet[TransferLimit]:
        """Return the limits that are set."""
        return list_limits()

    def list_settings(self, *, is_locking: bool, **place: Any) -> Mapping[str, object]:
        """Return all limits: the address names none of them."""
        rows = lock_limits(self._body().get("account")).values() if is_locking else list_limits()
        return {row.key: [getattr(row, name) for name in LIMIT_NAMES] for row in rows}

    @extend_schema(operation_id="transfer_limits_list")
    @versioned
    def get(self, request: Request) -> Response:
        """List the limits: for all accounts, and for single ones."""
        return self.list(request)

    @extend_schema(
        operation_id="transfer_limits_set",
        request=SetLimitsSerializer,
        responses=TransferLimitSerializer,
    )
    @as_read
    def put(self, request: Request) -> Response:
        """Set the limits of one account, or those for all."""
        values = self._body()
        row = save_limits(
            account_id=values.pop("account", None),
            limits=TransferLimits(**values),
            user=request.user,
        )
        return Response(TransferLimitSerializer(row).data)

    def _body(self) -> dict[str, Any]:
        body = SetLimitsSerializer(data=self.request.data)
        body.is_valid(raise_exception=True)
        return dict(body.validated_data)


class TransferApproveView(APIView):
    """The word of the second person."""

    write_permission = "accounts.change_transfer"

    @extend_schema(operation_id="transfers_approve", request=None, responses=TransferSerializer)
    def post(self, request: Request, pk: int) -> Response:
        """Approve a transfer that somebody else asked for."""
        approve_transfer(transfer_id=pk, user=request.user)
        return Response(TransferSerializer(get_transfer(pk)).data)


class TransferCancelView(APIView):
    """Stopping a transfer."""

    write_permission = "accounts.change_transfer"

    @extend_schema(
        operation_id="transfers_cancel", request=ReasonSerializer, responses=TransferSerializer
    )
    def post(self, request: Request, pk: int) -> Response:
        """Cancel a transfer that was not sent yet."""
        body = ReasonSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        reason = body.validated_data["reason"]
        cancel_transfer(transfer_id=pk, reason=reason, user=request.user)
        return Response(TransferSerializer(get_transfer(pk)).data)


class TransferSettleView(APIView):
    """Ending a transfer by hand."""

    write_permission = "accounts.change_transfer"

    @extend_schema(
        operation_id="transfers_settle", request=SettleSerializer, responses=TransferSerializer
    )
    def post(self, request: Request, pk: int) -> Response:
        """Say how a transfer ended; another person has to confirm it between real venues."""
        body = SettleSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        settle_transfer(transfer_id=pk, user=require_staff(request.user), **body.validated_data)
        return Response(TransferSerializer(get_transfer(pk)).data)


class TransferConfirmView(ProposedEndView):
    """The word of the second person about the end of a transfer."""

    write_permission = "accounts.change_transfer"

    @extend_schema(operation_id="transfers_confirm", request=None, responses=TransferSerializer)
    @as_read
    def post(self, request: Request, pk: int) -> Response:
        """Agree to what somebody else said about the end of a transfer, as it was read."""
        confirm_settlement(transfer_id=pk, user=request.user)
        return Response(TransferSerializer(get_transfer(pk)).data)
