import pytest
from django.contrib.auth import get_user_model
from django.db import connections
from django.db.utils import OperationalError

from arbplatform.core.errors import Unavailable
from arbplatform.management import bootstrap
from arbplatform.management.errors import DatabaseUnusable


@pytest.mark.django_db
def test_the_first_start_makes_an_administrator_with_a_new_password():
    made = bootstrap.ensure_administrator()

    user = get_user_model().objects.get()
    assert (made.username, user.username, user.is_superuser) == ("admin", "admin", True)
    assert user.check_password(made.password)
    assert made.password not in repr(made)


@pytest.mark.django_db
def test_the_first_start_takes_the_password_that_a_person_chose():
    made = bootstrap.ensure_administrator("chosen-by-a-person")

    assert made.password == ""
    assert get_user_model().objects.get().check_password("chosen-by-a-person")


@pytest.mark.django_db
def test_a_later_start_leaves_the_administrators_alone():
    get_user_model().objects.create_superuser("root", password="kept")

    found = bootstrap.ensure_administrator("another")

    assert (found.username, found.password) == ("root", "")
    assert get_user_model().objects.get().check_password("kept")


def test_a_database_that_refuses_is_named_without_its_password(monkeypatch):
    database = connections["default"]
    monkeypatch.setattr(database, "settings_dict", POSTGRES)
    monkeypatch.setattr(database, "vendor", "postgresql")
    monkeypatch.setattr(database, "ensure_connection", refuse)

    with pytest.raises(Unavailable) as refusal:
        bootstrap.check_database()

    assert str(refusal.value) == (
        "The database postgresql://arb@db.local:5432/books cannot be used: no *** for you. Check "
        "DATABASE_URL, and that the server runs, lets this user in and has room on its disk."
    )


def test_a_database_without_room_for_its_tables_is_refused_in_one_sentence(monkeypatch):
    def migrate(*_args, **_options):
        raise OperationalError("database or disk is full")

    monkeypatch.setattr(bootstrap, "call_command", migrate)

    with pytest.raises(DatabaseUnusable, match=r"cannot be used: database or disk is full\. Check"):
        bootstrap.migrate_database()


POSTGRES = {
    "HOST": "db.local",
    "PORT": 5432,
    "USER": "arb",
    "NAME": "books",
    "PASSWORD": "planted",
}


def refuse():
    raise OperationalError("no planted for you\nsecond line")


def test_a_redis_server_that_does_not_answer_is_named_without_its_password(settings):
    settings.REDIS_URL = "redis://:planted@127.0.0.1:1/0"

    with pytest.raises(Unavailable) as refusal:
        bootstrap.check_redis()

    assert str(refusal.value).startswith("The Redis server at 127.0.0.1:1 cannot be used: ")
    assert "planted" not in str(refusal.value)


def test_a_redis_url_that_makes_no_sense_is_refused(settings):
    settings.REDIS_URL = "nonsense"

    with pytest.raises(Unavailable, match="Check REDIS_URL"):
        bootstrap.check_redis()
