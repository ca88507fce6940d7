"""Gives names that can be translated to models of packages that forgot to."""

from django.apps import apps
from django.utils.translation import gettext_lazy as _
from django.utils.translation import gettext_noop

MENDED = (gettext_noop("Delete selected %(model)s"), gettext_noop(" By %(filter_title)s "))
"""Texts of Django's admin whose Chinese is wrong or odd; what our catalogue holds comes first."""


def name_foreign_models() -> None:
    """Name what the console shows of other packages; their migrations do not notice."""
    apps.get_app_config("knox").verbose_name = _("API tokens")
    apps.get_app_config("axes").verbose_name = _("Logins")
    token = apps.get_model("knox.AuthToken")._meta
    token.verbose_name = _("API token")
    token.verbose_name_plural = _("API tokens")
    for name, text in (
        ("digest", _("hash")),
        ("token_key", _("first characters")),
        ("user", _("user")),
        ("created", _("created at")),
        ("expiry", _("expires at")),
    ):
        token.get_field(name).verbose_name = text
    task = apps.get_model("django_celery_beat.PeriodicTask")._meta
    task.get_field("task").verbose_name = _("task")
