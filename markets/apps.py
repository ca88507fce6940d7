"""The Django app markets."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class MarketsConfig(AppConfig):
    """Configuration of the app."""

    name = "markets"
    verbose_name = _("Markets")
