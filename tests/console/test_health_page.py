"""The page of health, for a person who asks what is wrong."""

import re

import pytest
from django.core.cache import cache

from arbplatform.background.heartbeat import BEAT, SCANNER, WORKER, Pulse
from arbplatform.health_page import ADVICE, FIGURES
from arbplatform.parts import TITLES, check_parts

pytestmark = pytest.mark.django_db
ADDRESS = "/admin/health/"


def read_rows(html):
    """Return the words of each row of the table."""
    body = html[html.index("<tbody>") : html.index("</tbody>")]
    rows = re.findall(r"<tr>.*?</tr>", body, re.DOTALL)
    return [" ".join(re.sub(r"<[^>]+>", " ", row).split()) for row in rows]


def test_every_part_is_listed_with_what_it_measures(console):
    for part in (WORKER, BEAT, SCANNER):
        Pulse(part).show()

    rows = read_rows(console.get(ADDRESS).content.decode())

    assert len(rows) == len(TITLES)
    assert all(" works " in row for row in rows)
    assert rows[0] == "Database works – –"
    assert re.fullmatch(r"Scanner works \d+ (ms|s) ago –", rows[5])
    assert re.fullmatch(r"Disk works – used \[%\]: \d+", rows[8])


def test_a_part_that_is_down_says_what_to_do_in_the_readers_language(console):
    cache.clear()

    rows = read_rows(console.get(ADDRESS, headers={"accept-language": "zh-hans"}).content.decode())

    assert (
        rows[2]
        == "工作进程 异常 从未收到过它的心跳。 请查看 logs/worker.log；监管进程会重新启动它。 – –"
    )


def test_on_a_phone_each_figure_says_what_it_is_in_the_readers_language(console):
    Pulse(SCANNER).show()

    html = console.get(ADDRESS, headers={"accept-language": "zh-hans"}).content.decode()

    assert re.search(r'data-title="最近心跳">\d+ (毫秒|秒)前<', html)
    assert re.search(r'<td data-title="测量值">已用 \[%\]: \d+', html)
    assert '<td class="arb-wide-only">–</td>' in html


def test_parts_titles_and_advice_belong_together():
    parts = check_parts()

    assert list(TITLES) == list(parts)
    assert set(ADVICE) == set(parts) - {"venues"}  # ill venues do not make the platform ill
    assert {key for part in parts.values() for key in part.figures or ()} <= set(FIGURES)


def test_only_staff_may_look(client, user):
    client.force_login(user)

    response = client.get(ADDRESS)

    assert (response.status_code, response["Location"]) == (302, f"/admin/login/?next={ADDRESS}")
