"""Every page of the console opens in both languages, and speaks one of them only."""

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from django.conf import settings
from django.contrib import admin
from django.contrib.admin.utils import flatten_fieldsets
from django.contrib.auth import get_user_model
from django.db import connection
from django.test import RequestFactory
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from knox.models import AuthToken
from unfold.templatetags.unfold_list import ROW_CLASSES

LANGUAGES = ("en", "zh-hans")
admin.site.load_pages()  # type: ignore[attr-defined]  # it is a ConsoleSite
PAGES = sorted(admin.site._registry.values(), key=lambda page: page.opts.label_lower)
IDS = [page.opts.label_lower for page in PAGES]
EXPECTED = {
    "accounts.balance",
    "accounts.transfer",
    "accounts.venueaccount",
    "auth.group",
    "auth.user",
    "axes.accessattempt",
    "axes.accesslog",
    "django_celery_beat.crontabschedule",
    "django_celery_beat.intervalschedule",
    "django_celery_beat.periodictask",
    "knox.authtoken",
    "ledger.entry",
    "ledger.equitysnapshot",
    "ledger.fill",
    "ledger.logentry",
    "ledger.order",
    "markets.asset",
    "markets.market",
    "markets.venue",
    "notices.alarm",
    "notices.notice",
    "notices.noticechannel",
    "strategies.execution",
    "strategies.opportunity",
    "strategies.run",
    "strategies.strategy",
}


def test_every_model_has_a_page():
    assert set(IDS) >= EXPECTED


def test_every_page_is_themed():
    assert [page for page in PAGES if not hasattr(page, "list_filter_submit")] == []


@pytest.fixture
def browser(console, platform, superuser):
    AuthToken.objects.create(user=superuser)
    return console


class Visible(HTMLParser):
    """Collects what a person reads on a page."""

    def __init__(self):
        super().__init__()
        self.texts = []
        self._hidden = 0

    def handle_starttag(self, tag, attributes):
        named = dict(attributes)
        if tag in {"script", "style", "code", "pre"} or "material-symbols" in (
            named.get("class") or ""
        ):
            self._hidden += tag not in VOID
        elif self._hidden and tag not in VOID:
            self._hidden += 1
        self.texts += [
            named[name] for name in ("placeholder", "title", "aria-label") if named.get(name)
        ]

    def handle_endtag(self, tag):
        if self._hidden:
            self._hidden -= 1

    def handle_data(self, data):
        if not self._hidden and data.strip():
            self.texts.append(" ".join(data.split()))


VOID = {"br", "img", "input", "link", "meta", "hr", "source", "col", "wbr", "path", "area"}


def read(response):
    parser = Visible()
    parser.feed(response.content.decode())
    return parser.texts


DATA = re.compile(r"^#\d+ |^strategies: |^[A-Z][A-Za-z]+/|^Access Log for root|^error: <b>")
"""Names of rows, and what others said: the same in every language."""
NAMES = re.compile(r"\b[A-Z]{2,5}/[A-Z]{2,5}\b|\b(alpha|beta|main|root)\b")


def english_in(texts):
    """Return phrases without a Chinese character."""
    return sorted(
        {
            text
            for text in texts
            if re.search(r"[A-Za-z]{2,} [A-Za-z]{2,}", NAMES.sub("", text))
            and not re.search("[一-鿿]", text)
            and not DATA.search(text)
            and text not in TERMS
        }
    )


TERMS = {"API Key", "API Secret", "User Agent", "HTTP Accept"}
"""What Chinese users of exchanges read in English too."""


def addresses(page):
    name = f"admin:{page.opts.app_label}_{page.opts.model_name}"
    yield reverse(f"{name}_changelist")
    if page.has_add_permission.__func__ is not None:
        yield reverse(f"{name}_add")
    row = page.model._default_manager.order_by("-pk").first()
    if row is not None:
        yield reverse(f"{name}_change", args=[row.pk])
        yield reverse(f"{name}_history", args=[row.pk])
        yield reverse(f"{name}_delete", args=[row.pk])


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("page", PAGES, ids=IDS)
def test_every_page_opens_and_speaks_one_language(browser, page, language):
    for address in addresses(page):
        response = browser.get(address, HTTP_ACCEPT_LANGUAGE=language)

        if response.status_code == 302:  # what is in use is not deleted: its own page says so
            assert address.endswith("/delete/")
            assert response["Location"] == address.replace("/delete/", "/change/")
            continue
        assert response.status_code in {200, 403}, address
        if response.status_code == 200:
            assert response["Content-Language"] == language
        if language == "zh-hans" and response.status_code == 200:
            assert english_in(read(response)) == [], address


def test_no_page_of_a_row_shows_the_pair_that_a_label_of_a_list_is_made_of(browser):
    request = RequestFactory().get("/")
    request.user = get_user_model().objects.get(username="root")

    pairs = [
        (page.opts.label_lower, name)
        for page in PAGES
        for name in flatten_fieldsets(
            page.get_fieldsets(request, page.model._default_manager.first())
        )
        if getattr(getattr(page, str(name), None), "label", None) is not None
    ]

    assert pairs == []


EMPTY_LISTS = [
    "/admin/accounts/addressentry/",
    "/admin/accounts/transfer/",
    "/admin/accounts/transferlimit/",
    "/admin/accounts/venueaccount/",
    "/admin/ledger/discrepancy/",
    "/admin/ledger/fill/",
    "/admin/ledger/order/",
    "/admin/ledger/tradinghalt/",
    "/admin/markets/market/",
    "/admin/markets/venue/",
    "/admin/notices/alarm/",
    "/admin/notices/notice/",
    "/admin/notices/noticechannel/",
    "/admin/strategies/engineprocess/",
    "/admin/strategies/execution/",
    "/admin/strategies/opportunity/",
    "/admin/strategies/risklimits/",
    "/admin/strategies/run/",
    "/admin/strategies/strategy/",
]


@pytest.mark.parametrize("address", EMPTY_LISTS)
def test_an_empty_list_says_what_fills_it(console, address):
    page = next(page for page in PAGES if address == reverse_list(page))
    texts = read(console.get(address, headers={"accept-language": "en"}))

    assert "Nothing here yet" in texts
    assert str(page.empty_hint) in texts  # type: ignore[attr-defined]  # a page of ours


def test_a_list_that_is_narrowed_to_nothing_offers_to_widen_it(console):
    texts = read(console.get("/admin/ledger/order/?q=xyz", headers={"accept-language": "en"}))

    assert "No row fits the search and the filters." in texts
    assert "Nothing here yet" not in texts


ENDLESS_LISTS = [
    "/admin/ledger/entry/",
    "/admin/ledger/equitysnapshot/",
    "/admin/ledger/fill/",
    "/admin/ledger/logentry/",
    "/admin/ledger/order/",
    "/admin/notices/alarm/",
    "/admin/notices/notice/",
    "/admin/strategies/execution/",
    "/admin/strategies/opportunity/",
]
JOINS_MAX = 10
"""With more of them SQLite begins at another table and sorts all rows there are."""


@pytest.mark.parametrize("address", ENDLESS_LISTS)
def test_a_list_that_grows_for_ever_reads_its_newest_rows_only(browser, address):
    with CaptureQueriesContext(connection) as queries:
        browser.get(address)

    texts = [query["sql"] for query in queries]
    assert [text for text in texts if "datetime_trunc" in text or "DATE_TRUNC" in text] == []
    assert [text for text in texts if text.count(" JOIN ") > JOINS_MAX] == []


def reverse_list(page):
    return reverse(f"admin:{page.opts.app_label}_{page.opts.model_name}_changelist")


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_search_on_every_list_finds_its_way(browser, language):
    for page in PAGES:
        if page.search_fields:
            name = f"admin:{page.opts.app_label}_{page.opts.model_name}_changelist"
            assert browser.get(reverse(name), {"q": "alpha 7"}).status_code == 200


COLOURED = [
    "/admin/ledger/order/",
    "/admin/ledger/fill/",
    "/admin/ledger/logentry/",
    "/admin/notices/alarm/",
    "/admin/strategies/execution/",
    "/admin/strategies/opportunity/",
    "/admin/strategies/strategy/",
    "/admin/accounts/venueaccount/",
]


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("address", COLOURED)
def test_states_have_their_colour_in_every_language(browser, address, language):
    html = browser.get(address, HTTP_ACCEPT_LANGUAGE=language).content.decode()

    list_of_rows = html[html.index('id="result_list"') :]
    assert re.search("bg-(green|blue|orange|red)-100", list_of_rows)


def test_a_cell_of_a_list_on_a_phone_grows_with_its_text():
    style = Path(settings.BASE_DIR, "arbplatform/static/console/console.css").read_text("utf-8")
    cards = style.split("@media (max-width: 1023px) {", 1)[1].split("\n}", 1)[0]

    assert {"h-[45px]", "overflow-hidden", "lg:table-cell"} <= set(ROW_CLASSES), (
        "the theme mends it"
    )
    assert re.search(r'#result_list \[class\*="field-"\][^{]*\{[^}]*height: auto;', cards)


@pytest.mark.parametrize(
    ("language", "words"), [("en", "Filled quantity"), ("zh-hans", "已成交数量")]
)
def test_what_was_filled_of_an_order_is_not_headed_as_if_it_were_all(
    console, platform, language, words
):
    page = console.get("/admin/ledger/order/", headers={"Accept-Language": language})

    heads = re.findall(r"<th[ >].*?</th>", page.content.decode(), re.DOTALL)
    assert sum(words in head for head in heads) == 1
    assert not any("完全成交" in head for head in heads)
