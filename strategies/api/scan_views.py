"""What could be earned anywhere now, over HTTP."""

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from strategies.api.scan_serializers import BY_PROFIT, ScanQuerySerializer, ScanSerializer
from strategies.domain.scan import Kind
from strategies.services.scan_rows import to_rows
from strategies.services.scanner import scan_markets


class ScanView(APIView):
    """The best round trips over all symbols and cycles of all enabled venues."""

    query_class = ScanQuerySerializer

    @extend_schema(operation_id="scan", parameters=[ScanQuerySerializer], responses=ScanSerializer)
    def get(self, request: Request) -> Response:
        """Return the best round trips of this moment, those that can be traded first.

        What is too good to be true comes last. Sizes and profits are for unlimited funds. While a
        scanner process runs, prices stream in and a result is a second old; without one the venues
        are asked, at most every two seconds.
        """
        return answer_scan(request)


def answer_scan(request: Request) -> Response:
    """Return the best round trips of this moment, as they are asked for in the address."""
    query = ScanQuerySerializer(data=request.query_params)
    query.is_valid(raise_exception=True)
    asked = query.validated_data
    scan = scan_markets()
    sightings = scan.select(
        kind=Kind(asked["kind"]) if "kind" in asked else None,
        by_profit=asked["ordering"] == BY_PROFIT,
        limit=asked["limit"],
    )
    return Response(ScanSerializer(to_rows(scan, sightings)).data)
