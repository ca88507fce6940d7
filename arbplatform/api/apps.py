"""The frame of the API as a Django app: it keeps answers."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class ApiConfig(AppConfig):
    """Owns the table of kept answers."""

    name = "arbplatform.api"
    label = "api"
    verbose_name = _("API")
