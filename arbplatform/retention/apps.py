"""The Django app retention."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class RetentionConfig(AppConfig):
    """Owns the table that says how far each kind of rows has been removed."""

    name = "arbplatform.retention"
    label = "retention"
    verbose_name = _("Retention")

    def ready(self) -> None:
        """Name what other packages keep about visits."""
        from arbplatform.retention import access, kinds  # noqa: PLC0415  needs the models

        kinds.register(*access.KINDS)
