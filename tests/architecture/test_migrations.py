"""The models and the migrations say the same; a file of its own, for it needs the database."""

import pytest
from django.core.management import call_command


@pytest.mark.django_db
def test_the_migrations_are_current():
    call_command("makemigrations", "--check", "--dry-run", verbosity=0)
