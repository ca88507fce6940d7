"""The Django app strategies."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class StrategiesConfig(AppConfig):
    """Configuration of the app."""

    name = "strategies"
    verbose_name = _("Strategies")

    def ready(self) -> None:
        """Name what is not kept for ever."""
        from arbplatform.retention.kinds import register  # noqa: PLC0415  needs the models
        from strategies.services.retention import KINDS  # noqa: PLC0415  needs the models

        register(*KINDS)
