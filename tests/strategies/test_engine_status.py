"""``manage.py engine_status``."""

import json
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from tests.speeds import engine, no_engines  # noqa: F401  fixtures


def run(*arguments):
    output = StringIO()
    call_command("engine_status", *arguments, stdout=output)
    return output.getvalue()


def test_each_stage_is_a_line_with_its_percentiles(engine):  # noqa: F811
    lines = run().splitlines()

    (book,) = [line for line in lines if "received → book changed" in line]
    assert [cell.strip() for cell in book.strip("│").split("│")] == [
        "book",
        "received → book changed",
        *("3", "2.95 µs", "4.00 µs", "4.00 µs", "4.00 µs"),
    ]
    (facts,) = [line for line in lines if line.startswith("Strategies held")]
    assert "Strategies held: 2; Feeds: healthy 40, stale 2; Waiting: decisions 3" in facts


def test_the_same_is_told_as_json(engine):  # noqa: F811
    (told,) = json.loads(run("--json"))

    assert (told["name"], told["strategies"], told["memory_bytes"]) == (
        "lives",
        [4, 9],
        209_715_200,
    )
    assert list(told["stages"]) == ["book", "decision", "ack"]
    assert told["stages"]["book"]["total"]["count"] == 3
    assert told["stages"]["ack"]["recent"] is None
    assert told["stages"]["ack"]["total"]["max_us"] == 1_500_000


def test_where_none_runs_it_says_how_to_start_one(no_engines):  # noqa: F811
    assert run() == "No engine runs. Start one with manage.py run_engine.\n"
    assert json.loads(run("--json")) == []


@pytest.mark.usefixtures("chinese_terminal")
def test_it_speaks_chinese(engine):  # noqa: F811
    assert "已收到 → 订单簿已更新" in run()


def test_without_redis_it_says_so(settings):
    settings.REDIS_URL = "unix:///nowhere/redis.sock"

    with pytest.raises(CommandError, match="Redis does not answer"):
        run()
