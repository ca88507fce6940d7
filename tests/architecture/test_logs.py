"""No secret gets into a log line, whatever wrote it."""

import json
import logging

import pytest
from django.conf import settings
from django.utils.module_loading import import_string

from arbplatform.core.masking import redact
from arbplatform.logs import JsonFormatter, LineFormatter, request_id, task_id
from arbplatform.persistence.fields import Secret, secret_box

PLANTED = "pl4nt3dS3cretValue0123456789"

CARRIERS = [
    "api_secret={}",
    "apiKey: {}",
    "secret = '{}'",
    '{{"secret": "{}", "x": 1}}',
    "{{'password': '{}'}}",
    "{{'X-MBX-APIKEY': '{}'}}",
    "GET /api/v3/order?symbol=BTCUSDT&signature={}&timestamp=1",
    "POST /login password={}&username=x",
    "Authorization: Token {}",
    "authorization: Bearer {}",
    "headers={{'Authorization': 'Token {}'}}",
    "Cookie: sessionid={}",
    "redis://:{}@127.0.0.1:6379/0",
    "postgres://user:{}@db/arb",
    "ARB_ADMIN_PASSWORD={}",
    "FIELD_ENCRYPTION_KEYS={}",
    "passphrase={}",
    "OK-ACCESS-SIGN: {}",
    "new_token='{}'",
    "csrfmiddlewaretoken={}",
]


def record(message, *args, exc_info=None):
    return logging.LogRecord("x", logging.INFO, __file__, 1, message, args, exc_info)


@pytest.mark.parametrize("carrier", CARRIERS)
def test_a_planted_secret_is_masked(carrier):
    text = redact(carrier.format(PLANTED))

    assert PLANTED not in text
    assert "***" in text


@pytest.mark.parametrize("formatter", [LineFormatter(), JsonFormatter()])
@pytest.mark.parametrize("carrier", CARRIERS)
def test_no_formatter_lets_a_secret_through(formatter, carrier):
    line = formatter.format(record("%s", carrier.format(PLANTED)))

    assert PLANTED not in line


@pytest.mark.parametrize("formatter", [LineFormatter(), JsonFormatter()])
def test_a_traceback_is_masked_too(formatter):
    error = RuntimeError(f"refused: api_secret={PLANTED}")

    line = formatter.format(record("failed", exc_info=(RuntimeError, error, None)))

    assert "RuntimeError" in line
    assert PLANTED not in line


@pytest.mark.parametrize("formatter", [LineFormatter(), JsonFormatter()])
def test_a_secret_object_does_not_show_itself(formatter):
    line = formatter.format(record("%s", {"key": Secret(PLANTED)}))

    assert PLANTED not in line


def test_an_encrypted_column_is_masked():
    ciphertext = secret_box().encrypt(PLANTED.encode()).decode()

    assert ciphertext not in redact(f"row (1, {ciphertext}, 2)")


@pytest.mark.parametrize(
    "text",
    [
        "Order 7 bought 1.5 BTC at 60000.00",
        "The token bucket is empty, 3 requests wait",
        "http://127.0.0.1:8000/admin/",
        "key opening:7 was booked",
        "client id arbtests0123456789abcdef",
    ],
)
def test_ordinary_lines_stay_as_they_are(text):
    assert redact(text) == text


def test_a_line_carries_the_id_of_its_request_or_task():
    formatter = LineFormatter("{asctime} {levelname} {ids}{message}", style="{")
    first, second = request_id.set("r1"), task_id.set("t1")
    try:
        line = formatter.format(record("hello %s", "world"))
        fields = json.loads(JsonFormatter().format(record("hello %s", "world")))
    finally:
        request_id.reset(first)
        task_id.reset(second)

    assert line.endswith("INFO [request=r1 task=t1] hello world")
    assert (fields["request_id"], fields["task_id"]) == ("r1", "t1")
    assert fields["message"] == "hello world"


def test_json_lines_are_one_line_and_keep_chinese():
    line = JsonFormatter().format(record("套利\n第二行"))

    assert "\n" not in line
    assert "套利" in line


def test_every_handler_of_the_product_masks():
    formatters = settings.LOGGING["formatters"].values()

    classes = {import_string(formatter["()"]) for formatter in formatters}

    assert classes == {LineFormatter, JsonFormatter}
    handlers = settings.LOGGING["handlers"].values()
    assert all(handler["formatter"] in settings.LOGGING["formatters"] for handler in handlers)


@pytest.mark.django_db
def test_a_refusal_of_the_console_is_one_line_in_the_log(client, django_user_model, caplog):
    client.force_login(django_user_model.objects.create_user("reader", is_staff=True))

    assert client.get("/admin/markets/venue/").status_code == 403

    lines = [line for line in caplog.records if line.name == "django.request"]
    assert [LineFormatter().format(line) for line in lines] == [
        "Forbidden (Permission denied): /admin/markets/venue/"
    ]
