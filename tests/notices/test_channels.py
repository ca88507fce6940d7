"""Channels are added, changed and removed; their addresses come out nowhere."""

import logging
from datetime import time

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission
from django.core.management import call_command
from django.db import connection
from django.urls import reverse
from django.utils import translation

from arbplatform.core.errors import InvalidInput
from arbplatform.notices import channels
from arbplatform.notices.channels import check_address, update_channel
from arbplatform.notices.channels import test_channel as ask_for_test
from arbplatform.notices.delivering import deliver_due
from arbplatform.notices.errors import (
    ChannelDisabled,
    ChannelForbidden,
    ChannelNameTaken,
    ChannelNotFound,
    NoticeRefused,
)
from arbplatform.notices.models import Notice, NoticeChannel
from arbplatform.wording import render
from tests.notices.conftest import ADDRESS, condition, reload

pytestmark = pytest.mark.django_db
LIST = "/admin/notices/noticechannel/"
FORM = {
    "name": "ops",
    "new_address": ADDRESS,
    "language": "en",
    "severity_min": "20",
    "quiet_from": "22:00",
    "quiet_until": "07:00",
    "heartbeat_at": "09:00",
    "is_enabled": "on",
}
SECRET = "PLANTEDTOKEN0123456789"


def stored_address(channel):
    with connection.cursor() as cursor:
        cursor.execute("SELECT address FROM notices_noticechannel WHERE id = %s", [channel.pk])
        return cursor.fetchone()[0]


def test_an_address_is_stored_encrypted(add):
    channel = add()

    assert stored_address(channel).startswith("gAAAA")
    assert reload(channel).address == ADDRESS
    assert channel.service == "webhook"
    assert SECRET not in f"{channel!r} {reload(channel).__dict__}"


def test_an_address_is_rotated_with_the_secrets_of_accounts(add, settings):
    channel = add()
    before, old = stored_address(channel), settings.FIELD_ENCRYPTION_KEYS[0]
    new = "dGVzdHMtb25seS1hLXF1aXRlLW90aGVyLWtleS0zMi4="
    settings.FIELD_ENCRYPTION_KEYS = [new, old]

    call_command("rotate_secrets")

    settings.FIELD_ENCRYPTION_KEYS = [new]
    assert stored_address(channel) != before
    assert reload(channel).address == ADDRESS


@pytest.mark.parametrize(
    "address",
    [
        "",
        "nonsense",
        "http://example.org/hook",
        "ftp://example.org/hook",
        "file:///etc/passwd",
        "https://",
        "https://exa mple.org/",
        "https://example.org/\nx",
        "https://[::1]:99999/x",
        "https://[::1/x",
        "https://127.0.0.1/x",
        "https://10.1.2.3/x",
        "https://[fe80::1]/x",
        "https://[fec0::1]/x",
        "https://[2002:7f00:1::1]/x",
        "https://[::7f00:1]/x",
        "https://[64:ff9b::a00:1]/x",
        "https://127.1/x",
        "https://2130706433/x",
        "https://0x7f000001/x",
        "https://0177.0.0.1/x",
        "https://127.0.0.1./x",
        "https://%31%32%37.0.0.1/x",
        "https://exämple.org/x",
        "https://example.org/" + "x" * 2_000,
        "https://api.telegram.org/bot1:abc/sendMessage",
    ],
)
def test_what_nothing_can_be_sent_to_is_refused_and_not_repeated(address):
    with pytest.raises(InvalidInput) as refusal:
        check_address(address)

    assert set(refusal.value.fields) == {"address"}
    texts = " ".join(str(text) for text in refusal.value.fields["address"])
    assert not address or address not in texts


@pytest.mark.parametrize(
    "address",
    [
        "https://1.1.1.1/x",
        "https://[2606:4700:4700::1111]/x",
        "https://[64:ff9b::101:101]/x",
        "https://hooks.1password.com./x",
        "https://xn--fsq.xn--0zwm56d/x",
    ],
)
def test_public_addresses_are_taken(address):
    assert check_address(address) == address


def test_private_addresses_are_taken_where_that_is_allowed(settings):
    settings.NOTICES_PRIVATE = True

    assert check_address(" http://127.0.0.1:8080/x ") == "http://127.0.0.1:8080/x"


def test_a_name_is_taken_once(add):
    add("ops")
    other = add("other")

    with pytest.raises(ChannelNameTaken):
        add("ops")
    with pytest.raises(ChannelNameTaken):
        update_channel(channel_id=other.pk, name="ops")
    with pytest.raises(ChannelNotFound):
        update_channel(channel_id=0, name="x")
    assert NoticeChannel.objects.count() == 2


def test_a_new_address_forgets_the_failures_of_the_old_one(add, clock):
    channel = add()
    NoticeChannel.objects.update(
        failure_count=5, next_try_at=clock.now(), error={"template": "x"}, error_code=1
    )

    changed = update_channel(channel_id=channel.pk, address="https://hooks.slack.com/services/x")

    assert (changed.failure_count, changed.next_try_at, changed.error) == (0, None, {})
    assert (reload(channel).service, reload(channel).is_failing) == ("slack", False)


def test_a_change_without_an_address_keeps_the_old_one(add):
    channel = add()

    update_channel(channel_id=channel.pk, name="renamed", quiet_from=time(22))

    assert (reload(channel).name, reload(channel).address) == ("renamed", ADDRESS)


# the console ----------------------------------------------------------------------------------


@pytest.fixture
def channel(console):
    """A channel that was added in the console."""
    assert console.post(f"{LIST}add/", FORM).status_code == 302
    return NoticeChannel.objects.get()


def test_a_channel_is_added_and_changed_in_the_console(console, channel, look):
    look(condition())
    assert (channel.name, channel.address, channel.quiet_until) == ("ops", ADDRESS, time(7))
    page = f"{LIST}{channel.pk}/change/"

    answer = console.post(page, FORM | {"new_address": "", "severity_min": "30"})

    assert answer.status_code == 302
    assert (reload(channel).severity_min, reload(channel).address) == (30, ADDRESS)
    assert console.post(f"{LIST}{channel.pk}/delete/", {"post": "yes"}).status_code == 302
    assert not NoticeChannel.objects.exists()
    assert not Notice.objects.exists()


def test_an_address_that_is_none_is_refused_in_the_form(console, db):
    page = console.post(f"{LIST}add/", FORM | {"new_address": "http://example.org/PLANTED"})

    text = page.content.decode()
    assert "The address must begin with https://." in text
    assert "PLANTED" not in text
    assert not NoticeChannel.objects.exists()


def test_what_the_service_refuses_comes_back_as_typed_but_for_the_address(console, db, monkeypatch):
    def refuse(**_values):
        raise ChannelNameTaken(name="ops")

    monkeypatch.setattr(channels, "create_channel", refuse)

    page = console.post(f"{LIST}add/", FORM | {"name": "typed"}).content.decode()

    assert render(ChannelNameTaken(name="ops").message) in page
    assert 'name="name" value="typed"' in page
    assert 'name="heartbeat_at" value="09:00' in page
    assert "Type it in again: a secret is never sent back." in page
    assert SECRET not in page


def test_no_page_answer_or_history_shows_an_address(console, staff_api, channel, look):
    look(condition())
    change = f"{LIST}{channel.pk}/change/"
    pages = [
        console.get(LIST),
        console.get(change),
        console.post(change, FORM | {"name": ""}),
        console.get(f"{LIST}{channel.pk}/history/"),
        console.get(f"{LIST}{channel.pk}/delete/"),
        console.get("/admin/notices/notice/"),
        console.get(f"/admin/notices/notice/{Notice.objects.get().pk}/change/"),
        console.get("/admin/notices/alarm/"),
        console.get("/admin/health/"),
        staff_api.get("/api/alarms"),
        staff_api.get("/api/health"),
    ]

    for page in pages:
        assert page.status_code in {200, 503}
        assert SECRET not in page.content.decode()
    for entry in LogEntry.objects.all():
        assert SECRET not in f"{entry} {entry.change_message} {entry.get_change_message()}"


@pytest.fixture
def printed(caplog, capfd):
    """Return everything that was logged or printed."""
    caplog.set_level(logging.DEBUG)

    def read():
        captured = capfd.readouterr()
        return caplog.text + captured.out + captured.err

    return read


def test_no_log_line_shows_an_address(service, add, look, clock, printed):
    channel = add(address=service.url)
    look(condition())

    service.answer(500, service.url)
    service.answers.append((None, "", {}))
    for _ in range(3):
        deliver_due(clock=clock)
        clock.advance_ms(120_000)

    assert len(service.requests) == 3
    assert reload(channel).succeeded_at is not None
    text = printed()
    assert "The channel first failed, attempt 2" in text
    assert SECRET not in text


def test_a_failure_keeps_no_address(add, look, clock, settings):
    settings.NOTICES_PRIVATE = True
    channel = add(address=f"http://127.0.0.1:1/{SECRET}")
    settings.NOTICES_PRIVATE = False
    look(condition())

    deliver_due(clock=clock)

    failed = reload(channel)
    assert failed.error_code == ChannelForbidden.code
    assert SECRET not in str(failed.error)


def test_messages_to_workers_carry_nothing(console, channel, commit):
    with commit() as sent:
        test_page = reverse("admin:notices_noticechannel_test_one", args=(channel.pk,))
        console.post(test_page, {"_form_submitted": "True"})
        console.post(f"{LIST}{channel.pk}/change/", FORM | {"new_address": ADDRESS})

    assert sent == [("notices.sweep", {})]
    assert list(Notice.objects.values_list("kind", flat=True)) == ["test"]


@pytest.mark.parametrize(("codename", "status"), [("view_noticechannel", 403), (None, 302)])
def test_only_who_may_change_a_channel_may_test_it(client, staff, add, codename, status):
    channel = add()
    right = codename or "change_noticechannel"
    staff.user_permissions.set(Permission.objects.filter(codename=right))
    client.force_login(staff)

    page = reverse("admin:notices_noticechannel_test_one", args=(channel.pk,))
    answer = client.post(page, {"_form_submitted": "True"})

    assert answer.status_code == status
    assert Notice.objects.exists() is (status == 302)


def test_staff_without_the_right_see_no_channel(client, staff, add):
    add()
    client.force_login(staff)

    assert client.get(LIST).status_code == 403
    assert client.post(f"{LIST}add/", FORM).status_code == 403


def test_a_channel_shows_how_its_last_attempt_ended(console, add, look, deliver, postman):
    add()

    def html():
        return console.get(LIST).content.decode()

    assert "nothing sent yet" in html()
    look(condition())
    deliver()
    assert "works" in html()
    postman.broken = {ADDRESS}
    look(condition(), condition("other"))
    deliver(60)
    assert "failed" in html()


def test_why_an_attempt_failed_is_shown_in_the_readers_language(
    console, add, look, deliver, postman
):
    channel = add()
    postman.broken = {ADDRESS}
    look(condition())
    deliver()
    failure = NoticeRefused(status=500, answer="-").message

    for language in ("en", "zh-hans"):
        page = console.get(f"{LIST}{channel.pk}/change/", HTTP_ACCEPT_LANGUAGE=language)
        with translation.override(language):
            assert render(failure) in page.content.decode()


def test_a_channel_that_is_switched_off_is_not_tested(console, add):
    channel = add()
    button = reverse("admin:notices_noticechannel_test_one", args=(channel.pk,))
    pages = (LIST, f"{LIST}{channel.pk}/change/")
    assert all(button in console.get(page).content.decode() for page in pages)
    update_channel(channel_id=channel.pk, is_enabled=False)

    assert not any(button in console.get(page).content.decode() for page in pages)
    with pytest.raises(ChannelDisabled):
        ask_for_test(channel_id=channel.pk)
    answer = console.post(button, {"_form_submitted": "True"}, follow=True)
    assert "The channel first is switched off. Enable it first." in answer.content.decode()
    assert not Notice.objects.exists()


# health and the API ---------------------------------------------------------------------------


def test_health_shows_a_channel_that_fails(user_api, add, look, deliver, postman):
    add()
    postman.broken = {ADDRESS}
    look(condition())

    def part():
        return user_api.get("/api/health").json()["data"]["parts"]["notices"]

    deliver()
    assert part()["is_ok"]
    deliver(30)

    assert part() == {
        "is_ok": False,
        "detail": "A channel to people does not work.",
        "age_ms": None,
        "figures": {"channels": 1, "failing": 1, "unsent": 1},
    }


def test_alarms_are_listed_by_the_api(user_api, data, look, clock):
    look(condition(), condition("w", 20, "A venue is down."))
    clock.advance_ms(180_000)
    look(condition())

    everything = data(user_api.get("/api/alarms"))["results"]
    still = data(user_api.get("/api/alarms?is_open=true"))["results"]

    assert [row["message"] for row in everything] == ["A venue is down.", "Trading is halted."]
    assert [(row["key"], row["severity"], row["ended_at"]) for row in still] == [
        ("kill", "critical", None)
    ]
    warnings = data(user_api.get("/api/alarms?severity=warning"))["results"]
    assert [row["key"] for row in warnings] == ["w"]
