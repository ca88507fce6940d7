"""Pages that bring themselves up to date."""

import re

import pytest

LIVE = re.compile(r'id="([\w-]+)"[^>]*?data-live="([\w ]*)"', re.DOTALL)


@pytest.mark.parametrize(
    ("address", "regions"),
    [
        ("/admin/", {"overview": "executions strategies"}),
        ("/admin/strategies/execution/", {"live-list": "executions"}),
        ("/admin/strategies/strategy/", {"live-list": "strategies"}),
        ("/admin/strategies/opportunity/", {"live-list": "executions"}),
        ("/admin/ledger/order/", {"live-list": "executions"}),
        ("/admin/ledger/fill/", {"live-list": "executions"}),
        ("/admin/ledger/logentry/", {"live-list": "logs"}),
        ("/admin/strategies/opportunity/scanner/", {"scanner": "opportunities"}),
        ("/admin/strategies/engineprocess/", {"engine-speeds": ""}),
        ("/admin/markets/market/feeds/", {"feeds": ""}),
        ("/admin/health/", {"health": ""}),
    ],
)
def test_a_page_says_which_topics_renew_which_part(console, address, regions):
    html = console.get(address).content.decode()

    assert dict(LIVE.findall(html)) == regions
    assert html.count("data-live-mark") == 1
    assert "console/live.js" in html
    assert 'http-equiv="refresh"' not in html


def test_other_pages_open_no_socket(console):
    html = console.get("/admin/markets/venue/").content.decode()

    assert "data-live=" not in html
