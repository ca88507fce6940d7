"""Names of permissions and of periodic tasks: read in the reader's language, stored in English."""

import pytest
from django.conf import settings
from django.contrib.auth.models import Permission
from django.contrib.contenttypes.models import ContentType
from django.utils import translation
from django_celery_beat.models import IntervalSchedule, PeriodicTask

from arbplatform.console.foreign_names import CLEANUP, say_permission, say_schedule

pytestmark = pytest.mark.django_db

LIST = "/admin/django_celery_beat/periodictask/"
RESOLVE = "ledger: resolve unknown orders"


@pytest.fixture
def make_task():
    every = IntervalSchedule.objects.create(every=5, period="seconds")

    def make(name, task="ledger.resolve_unknown_orders"):
        return PeriodicTask.objects.create(name=name, task=task, interval=every)

    return make


@pytest.fixture
def chinese(console):
    console.cookies["django_language"] = "zh-hans"
    return console


def page(client, address):
    response = client.get(address)
    assert response.status_code == 200
    return response.content.decode()


def test_every_permission_is_read_in_chinese_and_in_english_as_django_stores_it():
    permissions = list(Permission.objects.select_related("content_type"))

    with translation.override("zh-hans"):
        chinese = [say_permission(each) for each in permissions]
    with translation.override("en"):
        ours = {say_permission(each) for each in permissions if each.codename.endswith("_venue")}

    assert len(permissions) > 100
    assert not [text for text in chinese if not text.startswith("可") or "Can " in text]
    assert ours == {f"Can {verb} venue" for verb in ("add", "change", "delete", "view")}


def test_a_permission_of_a_model_that_is_gone_or_of_somebody_else_keeps_its_name():
    gone = Permission(
        name="Can add ghost",
        codename="add_ghost",
        content_type=ContentType(app_label="gone", model="ghost"),
    )
    own = Permission(
        name="Can open the door",
        codename="open_venue",
        content_type=ContentType.objects.get(model="venue"),
    )

    with translation.override("zh-hans"):
        assert [say_permission(each) for each in (gone, own)] == [gone.name, own.name]


def test_the_form_of_a_group_names_permissions_in_chinese(chinese):
    text = page(chinese, "/admin/auth/group/add/")

    assert "交易所 | 可修改交易所</option>" in text
    assert "Can change" not in text


@pytest.mark.parametrize("name", [*settings.CELERY_BEAT_SCHEDULE, CLEANUP, "strategies: tick #7"])
def test_every_schedule_of_the_platform_is_read_in_chinese(make_task, name):
    task = make_task(name)

    with translation.override("zh-hans"):
        said = say_schedule(task)
        assert str(task).startswith(said)
    assert said != name
    assert "：" in said
    assert ("7" in said) == ("7" in name)
    with translation.override("en"):
        assert (say_schedule(task), str(task)) == (name, f"{name}: every 5 seconds")


def test_what_a_person_named_is_shown_as_it_is(make_task):
    with translation.override("zh-hans"):
        assert say_schedule(make_task("nightly #5")) == "nightly #5"
        assert say_schedule(make_task("{number} {x} #5")) == "{number} {x} #5"


def test_pages_of_schedules_are_chinese_and_leave_the_stored_name_alone(chinese, make_task):
    task = make_task(RESOLVE)
    address = f"{LIST}{task.pk}/change/"
    sent = {
        "name": "typed over",
        "regtask": "",
        "task": task.task,
        "interval": task.interval_id,
        "args": "[]",
        "kwargs": "{}",
    }

    lists, form = page(chinese, LIST), page(chinese, address)
    answer = chinese.post(address, sent)

    assert "账本：查明结果未知的订单" in lists
    assert "账本：查明结果未知的订单" in form
    assert RESOLVE not in lists
    assert 'name="name"' not in form
    assert answer.status_code == 302
    task.refresh_from_db()
    assert (task.name, task.enabled) == (RESOLVE, False)


def test_a_schedule_that_a_person_made_can_be_renamed(console, make_task):
    assert 'name="name"' in page(console, f"{LIST}{make_task('nightly').pk}/change/")
    assert 'name="name"' in page(console, f"{LIST}add/")
