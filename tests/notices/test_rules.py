"""Hours, pauses and the shapes of messages: pure."""

from datetime import UTC, datetime, time
from zoneinfo import ZoneInfo

import pytest

from arbplatform.notices.robots import ROBOTS, WEBHOOK, Letter, find_robot
from arbplatform.notices.rules import QuietHours, Severity, find_next

SHANGHAI, BERLIN = ZoneInfo("Asia/Shanghai"), ZoneInfo("Europe/Berlin")


@pytest.mark.parametrize(
    ("now", "since", "until", "end"),
    [
        ("2026-01-01T15:00", "22:00", "07:00", "2026-01-01T23:00"),  # 23:00 in Shanghai
        ("2026-01-01T14:00", "22:00", "07:00", "2026-01-01T23:00"),  # 22:00, the first minute
        ("2026-01-01T22:59", "22:00", "07:00", "2026-01-01T23:00"),
        ("2026-01-01T23:00", "22:00", "07:00", None),  # 07:00, the first minute after
        ("2026-01-01T13:59", "22:00", "07:00", None),
        ("2026-01-01T05:00", "12:00", "14:00", "2026-01-01T06:00"),  # 13:00
        ("2026-01-01T06:00", "12:00", "14:00", None),
        ("2026-01-01T03:59", "12:00", "14:00", None),
        ("2026-01-01T05:00", "12:00", "12:00", None),
    ],
)
def test_quiet_hours_are_those_of_the_zone_and_may_cross_midnight(now, since, until, end):
    hours = QuietHours(time.fromisoformat(since), time.fromisoformat(until), SHANGHAI)

    found = hours.find_end(datetime.fromisoformat(now).replace(tzinfo=UTC))

    assert found == (end and datetime.fromisoformat(end).replace(tzinfo=UTC))


@pytest.mark.parametrize(("since", "until"), [(None, None), (time(1), None), (None, time(1))])
def test_without_both_ends_there_are_no_quiet_hours(since, until):
    assert QuietHours(since, until, UTC).find_end(datetime(2026, 1, 1, 1, tzinfo=UTC)) is None


def test_a_daily_time_follows_the_clocks_of_its_zone():
    before = datetime(2026, 3, 28, 12, tzinfo=UTC)  # clocks go forward in the night

    assert find_next(before, time(9), BERLIN) == datetime(2026, 3, 29, 7, tzinfo=UTC)
    assert find_next(datetime(2026, 3, 28, 8, tzinfo=UTC), time(9), BERLIN) == datetime(
        2026, 3, 29, 7, tzinfo=UTC
    )
    assert find_next(datetime(2026, 3, 28, 7, tzinfo=UTC), time(9), BERLIN) == datetime(
        2026, 3, 28, 8, tzinfo=UTC
    )


ADDRESSES = {
    "dingtalk": "https://oapi.dingtalk.com/robot/send?access_token=abc",
    "feishu": "https://open.feishu.cn/open-apis/bot/v2/hook/abc",
    "wecom": "https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=abc",
    "telegram": "https://api.telegram.org/bot1:abc/sendMessage?chat_id=-100",
    "slack": "https://hooks.slack.com/services/T/B/abc",
    "discord": "https://discord.com/api/webhooks/1/abc",
    "webhook": "https://example.org/hook",
}
BODIES = {
    "dingtalk": b'{"msgtype": "text", "text": {"content": "\xe5\x97\xa8"}}',
    "feishu": b'{"msg_type": "text", "content": {"text": "\xe5\x97\xa8"}}',
    "wecom": b'{"msgtype": "text", "text": {"content": "\xe5\x97\xa8"}}',
    "telegram": b'{"chat_id": "-100", "text": "\xe5\x97\xa8"}',
    "slack": b'{"text": "\xe5\x97\xa8"}',
    "discord": b'{"content": "\xe5\x97\xa8", "allowed_mentions": {"parse": []}}',
    "webhook": b'{"text": "\xe5\x97\xa8", "severity": "warning"}',
}


@pytest.mark.parametrize("name", ADDRESSES)
def test_each_service_gets_the_text_in_its_own_shape(name):
    address = ADDRESSES[name]
    robot = find_robot(address)

    assert robot.name == name
    assert robot.write_body(Letter("嗨", Severity.WARNING), address) == BODIES[name]


def test_every_service_is_looked_at():
    assert set(ADDRESSES) == {robot.name for robot in (*ROBOTS, WEBHOOK)}


def test_a_foreign_host_that_looks_like_a_service_is_none():
    assert find_robot("https://oapi.dingtalk.com.example.org/robot") is WEBHOOK
    assert find_robot("https://example.org/oapi.dingtalk.com") is WEBHOOK


@pytest.mark.parametrize(
    ("name", "status", "body", "refusal"),
    [
        ("dingtalk", 200, '{"errcode": 0, "errmsg": "ok"}', None),
        ("dingtalk", 200, '{"errcode": 310000, "errmsg": "keywords not in content"}', "310000"),
        ("dingtalk", 200, "<html>", "-"),
        ("feishu", 200, '{"code": 0, "msg": "success"}', None),
        ("feishu", 200, '{"code": 19024, "msg": "Key Words Not Found"}', "19024"),
        ("feishu", 200, '{"StatusCode": 0, "StatusMessage": "success"}', None),
        ("feishu", 200, '{"code": 19001, "StatusCode": 0}', "19001"),
        ("dingtalk", 200, "{}", "-"),
        ("dingtalk", 200, '{"errcode": "0"}', "-"),
        ("wecom", 200, '{"errcode": 93000, "errmsg": "invalid webhook url"}', "93000"),
        ("wecom", 200, '{"errcode": 0}', None),
        ("telegram", 200, '{"ok": true, "result": {}}', None),
        ("telegram", 401, '{"ok": false, "error_code": 401}', "-"),
        ("slack", 200, "ok", None),
        ("slack", 404, "no_service", "-"),
        ("discord", 204, "", None),
        ("webhook", 302, "", "-"),
        ("webhook", 500, "", "-"),
        ("webhook", 200, "[]", None),
        ("feishu", 200, "[]", "-"),
        ("feishu", 500, '{"code": 0}', "0"),
    ],
)
def test_only_what_the_service_itself_calls_taken_is_taken(name, status, body, refusal):
    assert find_robot(ADDRESSES[name]).find_refusal(status, body) == refusal


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("slack", "A &amp; B &lt;!channel&gt;"),
        ("feishu", "A & B ＜!channel>"),
        ("wecom", "A & B <!channel>"),
    ],
)
def test_no_text_calls_everybody(name, text):
    body = find_robot(ADDRESSES[name]).write_body(
        Letter("A & B <!channel>", Severity.NOTE), ADDRESSES[name]
    )

    assert text in body.decode()


@pytest.mark.parametrize("name", ADDRESSES)
def test_no_text_is_longer_than_its_service_takes(name):
    robot = find_robot(ADDRESSES[name])

    body = robot.write_body(Letter("机" * 20_000, Severity.NOTE), ADDRESSES[name]).decode()

    assert robot.bytes_max - 3 <= len("机".encode()) * body.count("机") + 3 <= robot.bytes_max
    assert "…" in body
