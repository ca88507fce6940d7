"""What could be earned anywhere now, over HTTP."""

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from strategies.api.scan_serializers import ScanQuerySerializer, ScanSerializer, to_rows
from strategies.domain.scan import Kind
from strategies.services.scanner import scan_markets


class ScanView(APIView):
    """The best round trips over all symbols and cycles of all enabled venues."""

    @extend_schema(operation_id="scan", parameters=[ScanQuerySerializer], responses=ScanSerializer)
    def get(self, request: Request) -> Response:
        """Return the best round trips of this moment, those that can be traded first.

        Sizes and profits are for unlimited funds. A result is up to two seconds old.
        """
        query = ScanQuerySerializer(data=request.query_params)
        query.is_valid(raise_exception=True)
        asked = query.validated_data
        scan = scan_markets()
        sightings = scan.select(
            kind=Kind(asked["kind"]) if "kind" in asked else None,
            by_profit=asked["sort"] == "profit",
            limit=asked["limit"],
        )
        return Response(ScanSerializer(to_rows(scan, sightings)).data)
