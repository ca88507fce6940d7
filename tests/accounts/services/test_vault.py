"""Encrypting everything again with the newest key."""

import pytest
from cryptography.fernet import Fernet
from django.core.management import CommandError, call_command
from django.db import connection
from django.utils import translation

from accounts.models import VenueAccount
from accounts.services.vault import rotate_secrets
from arbplatform.persistence.fields import SecretUnreadable
from arbplatform.wording import render

OLD, NEW, OTHER = (Fernet.generate_key().decode() for _ in range(3))


@pytest.fixture
def accounts(settings, make_account):
    settings.FIELD_ENCRYPTION_KEYS = [OLD]
    return [make_account("alpha")[0], make_account("beta")[0]]


def raw_rows():
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT api_key, api_secret, passphrase FROM accounts_venueaccount ORDER BY id"
        )
        return cursor.fetchall()


def credentials():
    return [account.to_credentials() for account in VenueAccount.objects.order_by("pk")]


def test_after_a_rotation_the_old_key_is_not_needed_any_more(accounts, settings):
    before = credentials()
    settings.FIELD_ENCRYPTION_KEYS = [NEW, OLD]
    assert credentials() == before

    assert rotate_secrets() == 2

    settings.FIELD_ENCRYPTION_KEYS = [NEW]
    assert credentials() == before
    settings.FIELD_ENCRYPTION_KEYS = [OLD]
    with pytest.raises(SecretUnreadable):
        credentials()


def test_a_rotation_changes_nothing_else(accounts, settings):
    before = VenueAccount.objects.values("label", "updated_at", "is_enabled").order_by("pk")
    rows = list(before)
    settings.FIELD_ENCRYPTION_KEYS = [NEW, OLD]

    rotate_secrets()

    assert list(before.all()) == rows


def test_without_the_old_key_nothing_is_changed(accounts, settings):
    settings.FIELD_ENCRYPTION_KEYS = [NEW, OLD]
    VenueAccount.objects.get(pk=accounts[0].pk).save(update_fields=["api_key"])
    stored = raw_rows()
    settings.FIELD_ENCRYPTION_KEYS = [NEW]

    with pytest.raises(SecretUnreadable) as refusal:
        rotate_secrets()

    assert (refusal.value.code, raw_rows()) == (1011, stored)


def test_the_command_says_how_many_accounts_were_done(accounts, settings, capsys):
    settings.FIELD_ENCRYPTION_KEYS = [NEW, OLD]

    call_command("rotate_secrets")

    assert capsys.readouterr().out == ("Encrypted the secrets of 2 accounts with the newest key.\n")


@pytest.mark.usefixtures("chinese_terminal")
def test_the_command_speaks_the_language_of_the_terminal(accounts, settings, capsys):
    settings.FIELD_ENCRYPTION_KEYS = [NEW, OLD]

    call_command("rotate_secrets")
    settings.FIELD_ENCRYPTION_KEYS = [OTHER]
    with pytest.raises(CommandError) as refusal:
        call_command("rotate_secrets")
    with translation.override("zh-hans"):
        assert str(refusal.value) == render(SecretUnreadable().message)

    assert capsys.readouterr().out == "已用最新的加密密钥重新加密 2 个账户的密钥。\n"
    assert str(refusal.value) != str(SecretUnreadable())


def test_the_command_ends_with_one_sentence_if_a_key_is_missing(accounts, settings):
    settings.FIELD_ENCRYPTION_KEYS = [OTHER]

    with pytest.raises(CommandError, match="FIELD_ENCRYPTION_KEYS"):
        call_command("rotate_secrets")
