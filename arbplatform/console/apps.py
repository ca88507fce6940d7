"""The console as a Django app: Django's admin with our site."""

from django.contrib.admin.apps import SimpleAdminConfig


class ConsoleAdminConfig(SimpleAdminConfig):
    """Makes ``admin.site`` the themed one, which loads its pages when they are needed."""

    default_site = "arbplatform.console.site.ConsoleSite"
