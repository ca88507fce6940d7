"""Secrets are unreadable in the database and fail closed."""

import pytest
from cryptography.fernet import Fernet
from django.core.exceptions import FieldError, ImproperlyConfigured
from django.db import connection
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from arbplatform.persistence.fields import Secret, SecretUnreadable, secret_box

ONE_TABLE = settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40, deadline=None
)
TEXTS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=60)


def stored_text():
    with connection.cursor() as cursor:
        cursor.execute("SELECT secret FROM persistence_sample")
        return cursor.fetchone()[0]


@ONE_TABLE
@given(text=TEXTS)
def test_a_secret_is_read_back_as_it_was(sample, text):
    row = sample.objects.create(secret=text)

    assert sample.objects.get(pk=row.pk).secret == text


def test_the_column_does_not_show_the_secret(sample):
    sample.objects.create(secret="plant-a-secret")

    assert "plant-a-secret" not in stored_text()
    assert stored_text().startswith("gAAAA")


def test_the_same_secret_is_never_stored_twice_alike(sample):
    sample.objects.create(secret="same")
    first = stored_text()
    sample.objects.all().delete()
    sample.objects.create(secret="same")

    assert stored_text() != first


@pytest.mark.parametrize("nothing", [None, ""])
def test_no_secret_stays_no_secret(sample, nothing):
    sample.objects.create(secret=nothing)

    assert stored_text() == nothing
    assert sample.objects.get().secret == nothing


def test_a_secret_does_not_show_itself_in_a_representation(sample):
    sample.objects.create(secret="plant-a-secret")

    secret = sample.objects.get().secret

    assert repr(secret) == "Secret('***')"
    assert "plant" not in repr({"key": secret}) + f"{[secret]}"
    assert secret == "plant-a-secret"


def test_the_empty_secret_is_a_secret_too(sample):
    sample.objects.create(secret="")

    assert isinstance(sample.objects.get().secret, Secret)


def test_after_a_rotation_old_rows_open_and_new_ones_need_the_new_key(sample, settings):
    old, new = Fernet.generate_key().decode(), Fernet.generate_key().decode()
    settings.FIELD_ENCRYPTION_KEYS = [old]
    row = sample.objects.create(secret="kept")

    settings.FIELD_ENCRYPTION_KEYS = [new, old]
    row = sample.objects.get(pk=row.pk)
    assert row.secret == "kept"
    row.save(update_fields=["secret"])

    settings.FIELD_ENCRYPTION_KEYS = [new]
    assert sample.objects.get(pk=row.pk).secret == "kept"


def test_a_wrong_key_fails_instead_of_returning_ciphertext(sample, settings):
    sample.objects.create(secret="kept")
    settings.FIELD_ENCRYPTION_KEYS = [Fernet.generate_key().decode()]

    with pytest.raises(SecretUnreadable, match="FIELD_ENCRYPTION_KEYS"):
        sample.objects.get()


def test_text_that_was_never_encrypted_fails_too(sample):
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO persistence_sample (secret) VALUES ('plain')")

    with pytest.raises(SecretUnreadable):
        sample.objects.get()


def test_without_keys_nothing_is_stored(settings):
    settings.FIELD_ENCRYPTION_KEYS = []

    with pytest.raises(ImproperlyConfigured, match="FIELD_ENCRYPTION_KEYS"):
        secret_box()


def test_secrets_cannot_be_searched_for(sample):
    with pytest.raises(FieldError):
        sample.objects.filter(secret="x").exists()
    with pytest.raises(FieldError):
        sample.objects.filter(secret__startswith="x").exists()


def test_whether_there_is_a_secret_can_be_asked(sample):
    sample.objects.create(secret=None)
    sample.objects.create(secret="x")

    assert sample.objects.filter(secret__isnull=True).count() == 1
