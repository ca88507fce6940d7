"""The Django app markets."""

from django.apps import AppConfig
from django.conf import settings
from django.utils.translation import gettext_lazy as _

from markets.gateway import factory


class MarketsConfig(AppConfig):
    """Configuration of the app."""

    name = "markets"
    verbose_name = _("Venues and markets")

    def ready(self) -> None:
        """Tell the gateways how long to wait for a venue and where rates are shared."""
        factory.configure(
            timeout_ms=settings.VENUE_TIMEOUT_MS,
            redis_url=settings.BUDGET_REDIS_URL,
            address=settings.OUTGOING_ADDRESS,
            warm_count=settings.VENUE_WARM_CONNECTIONS,
        )
