"""Gives names that can be translated to models and rows of packages that forgot to."""

from typing import Any

from django.apps import apps
from django.utils.translation import gettext, gettext_noop
from django.utils.translation import gettext_lazy as _

MENDED = (gettext_noop("Delete selected %(model)s"), gettext_noop(" By %(filter_title)s "))
"""Texts of Django's admin whose Chinese is wrong or odd; what our catalogue holds comes first."""

CLEANUP = gettext_noop("celery.backend_cleanup")
"""A periodic task that Celery makes, and its name."""

PERMISSIONS = {
    "add": gettext_noop("Can add {model}"),
    "change": gettext_noop("Can change {model}"),
    "delete": gettext_noop("Can delete {model}"),
    "view": gettext_noop("Can view {model}"),
}
"""What Django calls the permissions that it makes, by the beginning of their code names."""


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
    task = apps.get_model("django_celery_beat.PeriodicTask")
    task._meta.get_field("task").verbose_name = _("task")
    _name_rows(task, say_schedule)
    _name_rows(apps.get_model("auth.Permission"), say_permission)


def say_permission(permission: Any) -> str:
    """Return what a permission allows, in the reader's language; it is stored in English."""
    model = permission.content_type.model_class()
    verb, _line, name = permission.codename.partition("_")
    if model is None or verb not in PERMISSIONS or name != model._meta.model_name:
        return gettext(permission.name)
    return gettext(PERMISSIONS[verb]).format(model=model._meta.verbose_name)


def say_schedule(task: Any) -> str:
    """Return what a periodic task is called, in the reader's language.

    Code finds it by its name, which therefore stays in English. Numbered ones share one text.
    """
    head, mark, number = task.name.rpartition(" #")
    if not mark or not number.isdecimal():
        return gettext(task.name)
    template = f"{head} #{{number}}"
    told = gettext(template)
    return task.name if told == template else told.format(number=number)


def _name_rows(model: Any, say: Any) -> None:
    """Have rows that are shown as text begin or end with their name in the reader's language."""
    plain = model.__str__
    model.__str__ = lambda row: plain(row).replace(row.name, say(row))
