"""The console as a Django app: Django's admin with our site."""

from django.contrib.admin.apps import AdminConfig


class ConsoleAdminConfig(AdminConfig):
    """Makes ``admin.site`` the themed one before any page is registered."""

    default_site = "arbplatform.console.site.ConsoleSite"
