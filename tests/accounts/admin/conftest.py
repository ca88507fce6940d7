import pytest
from django.test import Client


@pytest.fixture
def second(django_user_model):
    """The browser of another superuser."""
    client = Client()
    client.force_login(
        django_user_model.objects.create_superuser("second", password="long-enough-7")
    )
    return client
