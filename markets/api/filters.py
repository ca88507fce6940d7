"""Filters of the lists."""

from typing import Any

import django_filters
from django.db.models import QuerySet

from arbplatform.api.filters import FlagFilter
from markets.models import Market, Venue
from markets.selectors import get_venue


class VenueFilter(django_filters.FilterSet):
    """``?is_enabled=&ccxt_id=``."""

    is_enabled = FlagFilter()

    class Meta:
        model = Venue
        fields = ("is_enabled", "ccxt_id")


class MarketFilter(django_filters.FilterSet):
    """``?venue=&base=&quote=&is_active=&search=``."""

    venue = django_filters.CharFilter(method="of_venue", label="Code of a venue.")
    base = django_filters.CharFilter(field_name="base__code", lookup_expr="iexact")
    quote = django_filters.CharFilter(field_name="quote__code", lookup_expr="iexact")
    search = django_filters.CharFilter(
        field_name="symbol", lookup_expr="icontains", label="Part of the symbol."
    )

    is_active = FlagFilter()

    class Meta:
        model = Market
        fields = ("is_active",)

    def of_venue(self, markets: QuerySet[Any], _name: str, code: str) -> QuerySet[Any]:
        """Keep the markets of one venue.

        Raises:
            UnknownVenue: no venue has the code.
        """
        return markets.filter(venue=get_venue(code))
