"""The composition root as a Django app."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _

from arbplatform.core.decimals import use_exact_context
from arbplatform.logs import install_hooks
from arbplatform.persistence import sqlite


class PlatformConfig(AppConfig):
    """Binds Celery and the process-wide decimal context."""

    name = "arbplatform"
    verbose_name = _("Platform")

    def ready(self) -> None:
        """Prepare the process once, before any query."""
        install_hooks()
        use_exact_context()
        sqlite.install()
        from arbplatform import celery, watch  # noqa: F401, PLC0415  binds our broker; needs models
        from arbplatform.console.foreign_names import name_foreign_models  # noqa: PLC0415

        watch.install()
        name_foreign_models()
