"""Dust over HTTP."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from arbplatform.api.fields import AmountField
from arbplatform.api.filters import ID_MAX
from arbplatform.wording import render
from strategies.domain.dust import Advice
from strategies.services.dust import DustLine, report_dust


class DustQuerySerializer(serializers.Serializer[Any]):
    """Which dust is wanted."""

    strategy_id = serializers.IntegerField(
        required=False, min_value=1, max_value=ID_MAX, help_text="Only of this strategy."
    )


class DustSerializer(serializers.Serializer[Any]):
    """What a strategy has left over of one asset."""

    strategy = serializers.IntegerField(source="row.strategy_id")
    strategy_name = serializers.CharField(source="row.strategy.name")
    asset = serializers.CharField(source="row.asset.code")
    amount = AmountField(source="row.amount", help_text="Net; negative: more sold than bought.")
    worth = AmountField(
        allow_null=True, help_text="In the reporting asset; nothing: no price is known."
    )
    advice = serializers.ChoiceField(choices=[advice.value for advice in Advice])
    advice_text = serializers.SerializerMethodField()

    def get_advice_text(self, line: DustLine) -> str:
        """Return what is best done about it, in the reader's language."""
        return render(line.message)


class DustView(APIView):
    """What finished executions left over, below the minima of venues."""

    query_class = DustQuerySerializer

    @extend_schema(
        operation_id="dust",
        parameters=[DustQuerySerializer],
        responses=DustSerializer(many=True),
    )
    def get(self, request: Request) -> Response:
        """Return the dust of all strategies, or of one, with advice."""
        query = self.query_class(data=request.query_params)
        query.is_valid(raise_exception=True)
        lines = report_dust(strategy_id=query.validated_data.get("strategy_id"))
        return Response(DustSerializer(lines, many=True).data)
