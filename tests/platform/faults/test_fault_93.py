"""A lost encryption key is told at the start, and keys are rotated without losing a secret."""

from cryptography.fernet import Fernet
from django.core.checks import run_checks
from django.core.management import call_command

from accounts.models import VenueAccount


def problems():
    found = [issue.id or "" for issue in run_checks(databases=["default"])]
    return [name for name in found if name.startswith("accounts")]


def test_keys_are_rotated_and_a_lost_one_is_told_at_the_start(accounts, settings):
    before = {row.pk: str(row.api_secret) for row in VenueAccount.objects.all()}
    old = settings.FIELD_ENCRYPTION_KEYS[0]
    new = Fernet.generate_key().decode()
    assert problems() == []

    settings.FIELD_ENCRYPTION_KEYS = [new, old]
    call_command("rotate_secrets")
    settings.FIELD_ENCRYPTION_KEYS = [new]
    assert problems() == []
    assert {row.pk: str(row.api_secret) for row in VenueAccount.objects.all()} == before

    settings.FIELD_ENCRYPTION_KEYS = [old]
    assert problems() == ["accounts.W001"]
