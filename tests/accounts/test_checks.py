"""The self-test at the start."""

import pytest
from cryptography.fernet import Fernet
from django.core.checks import Tags, run_checks

from accounts.checks import check_encryption_keys, check_install_id


@pytest.fixture
def stored_secrets(alpha, beta):
    """Two accounts whose secrets the configured key opens."""


def find(check_id):
    messages = run_checks(tags=[Tags.security, Tags.database], databases=["default"])
    return [message for message in messages if message.id == check_id]


def test_usable_keys_and_readable_secrets_pass(stored_secrets):
    assert find("accounts.E001") + find("accounts.W001") == []


def test_a_key_that_cannot_encrypt_is_named_by_its_place_and_not_shown(db, settings):
    settings.FIELD_ENCRYPTION_KEYS = [Fernet.generate_key().decode(), "planted-bad-key"]

    (message,) = find("accounts.E001")

    assert message.msg == "Key number 2 in FIELD_ENCRYPTION_KEYS is not a Fernet key."
    assert "planted" not in str(message)


@pytest.mark.parametrize("name", ["", "arb", "my-install", "ab-12", "äbcde"])
def test_a_name_by_which_own_orders_would_not_be_known_again_is_refused(name, settings):
    settings.ARB_INSTALL_ID = name

    (message,) = check_install_id(None)

    assert message.id == "accounts.E002"
    assert message.msg == "ARB_INSTALL_ID has to be 5 letters or digits."


@pytest.mark.parametrize("name", ["tests", "a1b2c", "ABC12"])
def test_a_name_of_five_letters_or_digits_passes(name, settings):
    settings.ARB_INSTALL_ID = name

    assert check_install_id(None) == []


def test_secrets_that_do_not_open_are_counted(stored_secrets, settings):
    settings.FIELD_ENCRYPTION_KEYS = [Fernet.generate_key().decode()]

    (message,) = find("accounts.W001")

    assert message.msg.startswith("The secrets of 2 venue accounts cannot be decrypted")


def test_an_empty_database_has_no_secrets_to_read(db, monkeypatch):
    monkeypatch.setattr(
        "django.db.backends.base.introspection.BaseDatabaseIntrospection.table_names",
        lambda self: [],
    )

    assert find("accounts.W001") == []


def test_a_check_without_databases_reads_none(settings):
    assert check_encryption_keys(None) == []
    assert run_checks(tags=[Tags.database]) == []
