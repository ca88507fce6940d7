"""The Django app strategies."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class StrategiesConfig(AppConfig):
    """Configuration of the app."""

    name = "strategies"
    verbose_name = _("Strategies")
