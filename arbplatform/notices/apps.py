"""The Django app notices."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class NoticesConfig(AppConfig):
    """Owns channels, alarms and notices."""

    name = "arbplatform.notices"
    label = "notices"
    verbose_name = _("Notices")

    def ready(self) -> None:
        """Name what is not kept for ever."""
        from arbplatform.notices.kinds import KINDS  # noqa: PLC0415  needs the models
        from arbplatform.retention.kinds import register  # noqa: PLC0415  needs the models

        register(*KINDS)
