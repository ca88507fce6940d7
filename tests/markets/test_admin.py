from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.contrib.messages import get_messages
from django.test import Client
from django.urls import reverse
from rest_framework.test import APIClient

from accounts.models import VenueAccount
from arbplatform.core.errors import InvalidInput, Message
from arbplatform.persistence.sentences import keep_sentence
from markets.admin import venues as console_pages
from markets.errors import VenueInUse, VenueUnavailable
from markets.models import Market, Venue
from tests.markets.conftest import Venues
from tests.markets.fakes.gateway import make_rules

pytestmark = pytest.mark.django_db

FORM: dict[str, Any] = {
    "code": "gamma",
    "name": "Gamma",
    "ccxt_id": "bybit",
    "is_enabled": "on",
    "rest_origin": "http://127.0.0.1:1/x",
    "ws_origin": "ws://127.0.0.1:1/x",
    "options": "{}",
}


def _said(response: Any) -> list[str]:
    return [str(message) for message in get_messages(response.wsgi_request)]


def _url(name: str, *args: Any) -> str:
    return reverse(f"admin:markets_{name}", args=args)


@pytest.mark.parametrize("model", ["venue", "asset", "market"])
def test_every_list_opens_and_searches(console: Client, alpha: Venue, model: str) -> None:
    response = console.get(_url(f"{model}_changelist"), {"q": "a"})

    assert response.status_code == 200


def test_the_list_shows_what_matters(console: Client, alpha: Venue) -> None:
    Venue.objects.update(sync_error="it broke")

    page = console.get(_url("venue_changelist")).content.decode()

    assert "alpha" in page
    assert "synchronisation failed" in page
    assert "it broke" in console.get(_url("venue_change", alpha.pk)).content.decode()


@pytest.mark.parametrize(
    ("language", "words"),
    [("en", "The venue alpha cannot be reached: x."), ("zh-hans", "无法连接交易所 alpha：x。")],
)
def test_why_markets_were_not_read_is_told_in_the_readers_language(
    console: Client, user_api: APIClient, alpha: Venue, language: str, words: str
) -> None:
    error = VenueUnavailable(venue="alpha", cause="x")
    Venue.objects.update(sync_error=keep_sentence(error.message))
    headers = {"Accept-Language": language}

    page = console.get(_url("venue_change", alpha.pk), headers=headers).content.decode()
    shown = user_api.get("/api/venues/alpha", headers=headers).json()["data"]

    assert words in page
    assert words in shown["sync_error"]


def test_a_reason_that_was_kept_as_text_is_shown_as_it_was(
    console: Client, user_api: APIClient, alpha: Venue
) -> None:
    old = "it says: {maintenance} 100 %"
    Venue.objects.update(state="maintenance", state_reason=old)

    assert old in console.get(_url("venue_change", alpha.pk)).content.decode()
    assert user_api.get("/api/venues/alpha").json()["data"]["state_reason"] == old


def test_market_numbers_are_plain_digits(console: Client, alpha: Venue) -> None:
    page = console.get(_url("market_changelist")).content.decode()

    assert "0.0001" in page
    assert "0.08 % / 0.1 %" in page
    assert "E-" not in page
    market = Market.objects.get(symbol="BTC/USDT")
    detail = console.get(_url("market_change", market.pk)).content.decode()
    assert "0.0001" in detail
    assert "0.000100" not in detail


def test_a_market_shows_own_fees_beside_those_of_the_list(console: Client, alpha: Venue) -> None:
    market = Market.objects.get(symbol="BTC/USDT")
    page = console.get(_url("market_change", market.pk)).content.decode()
    assert "not told by the venue" in page

    Market.objects.filter(pk=market.pk).update(own_maker_fee="0.003", own_taker_fee="0.008")

    page = console.get(_url("market_change", market.pk)).content.decode()
    assert "0.08 % / 0.1 %" in page
    assert "0.3 % / 0.8 %" in page


@pytest.mark.parametrize("model", ["asset", "market"])
def test_facts_can_be_looked_at_and_not_changed(console: Client, btc: Market, model: str) -> None:
    pk = btc.pk if model == "market" else btc.base_id

    assert console.get(_url(f"{model}_change", pk)).status_code == 200
    assert console.post(_url(f"{model}_change", pk), {"name": "x"}).status_code == 403
    assert console.get(_url(f"{model}_add")).status_code == 403
    assert console.post(_url(f"{model}_delete", pk), {"post": "yes"}).status_code == 403


def test_a_venue_is_added_through_the_service(console: Client) -> None:
    response = console.post(_url("venue_add"), FORM)

    assert response.status_code == 302
    venue = Venue.objects.get()
    assert (venue.code, venue.ccxt_id, venue.ws_origin) == ("gamma", "bybit", FORM["ws_origin"])


def test_what_the_service_refuses_comes_back_as_typed(
    console: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(**_values: object) -> None:
        raise InvalidInput(fields={"code": [Message("The code is taken.")]})

    monkeypatch.setattr(console_pages, "create_venue", refuse)

    response = console.post(_url("venue_add"), FORM)

    form = response.context["adminform"].form
    assert form.errors == {"code": ["The code is taken."]}
    page = response.content.decode()
    assert "The code is taken." in page
    assert f'name="ws_origin" value="{FORM["ws_origin"]}"' in page


@pytest.mark.parametrize(
    ("field", "value", "text"),
    [
        ("ccxt_id", "nosuch", "nosuch is not an exchange id of ccxt"),
        ("ccxt_id", "binanceusdm", "has no spot markets"),
        ("options", '{"apiKey": "x"}', "credentials belong to an account"),
        ("rest_origin", "nonsense", "Use http(s)://host[:port][/path]."),
        ("options", "{", "Enter a valid JSON"),
    ],
)
def test_a_wrong_field_is_explained_on_the_form(
    console: Client, field: str, value: str, text: str
) -> None:
    response = console.post(_url("venue_add"), {**FORM, field: value})

    assert response.status_code == 200
    assert text in response.content.decode()
    assert not Venue.objects.exists()


def test_a_venue_is_changed_through_the_service_and_keeps_its_code(
    console: Client, alpha: Venue
) -> None:
    form = {**FORM, "code": "other", "name": "New name"}

    response = console.post(_url("venue_change", alpha.pk), form)

    assert response.status_code == 302
    alpha.refresh_from_db()
    assert (alpha.code, alpha.name, alpha.ccxt_id) == ("alpha", "New name", "bybit")


def test_a_button_synchronises_and_reports(console: Client, alpha: Venue, venues: Venues) -> None:
    venues.answer("alpha", fetch_markets=[make_rules("alpha", "SOL/USDT")])

    response = console.post(_url("venue_sync_one", alpha.pk), {"_form_submitted": "True"})

    assert _said(response) == ["alpha: 1 markets: 1 added, 0 updated, 2 deactivated."]


def test_a_button_that_is_only_looked_at_does_nothing(
    console: Client, alpha: Venue, venues: Venues
) -> None:
    asked = len(venues.calls("alpha"))

    response = console.get(_url("venue_sync_one", alpha.pk))

    assert response.status_code == 200
    assert len(venues.calls("alpha")) == asked


def test_a_button_tests_the_connection(console: Client, alpha: Venue, venues: Venues) -> None:
    venues.answer("alpha", fetch_time_ms=1)

    response = console.post(_url("venue_test_one", alpha.pk), {"_form_submitted": "True"})

    assert "alpha: It answered in" in _said(response)[0]


def test_chosen_rows_are_synchronised_and_reported_one_by_one(
    console: Client, alpha: Venue, beta: Venue, venues: Venues
) -> None:
    venues.answer("alpha", fetch_markets=VenueUnavailable(venue="alpha", cause="down"))

    response = console.post(
        _url("venue_changelist"),
        {"action": "sync_selected", "_selected_action": [alpha.pk, beta.pk]},
    )

    said = _said(response)
    assert said[0].startswith("alpha: The venue alpha cannot be reached: down.")
    assert said[1] == "beta: 1 markets: 0 added, 0 updated, 0 deactivated."


def test_chosen_rows_are_tested(console: Client, alpha: Venue, venues: Venues) -> None:
    venues.answer("alpha", fetch_time_ms=1)

    response = console.post(
        _url("venue_changelist"), {"action": "test_selected", "_selected_action": [alpha.pk]}
    )

    assert "our clock is" in _said(response)[0]


def test_bulk_deletion_that_would_pass_by_the_service_is_not_offered(
    console: Client, alpha: Venue
) -> None:
    console.post(
        _url("venue_changelist"),
        {"action": "delete_selected", "_selected_action": [alpha.pk], "post": "yes"},
    )

    assert Venue.objects.filter(pk=alpha.pk).exists()


def test_an_unused_venue_is_deleted(console: Client, alpha: Venue) -> None:
    response = console.post(_url("venue_delete", alpha.pk), {"post": "yes"})

    assert response.status_code == 302
    assert not Venue.objects.exists()


def test_a_venue_in_use_is_not_deleted(console: Client, alpha: Venue) -> None:
    VenueAccount.objects.create(venue=alpha, label="main", api_key="k", api_secret="s")

    console.post(_url("venue_delete", alpha.pk), {"post": "yes"})

    assert Venue.objects.filter(pk=alpha.pk).exists()


def test_a_venue_in_use_is_explained_before_anybody_confirms(console: Client, alpha: Venue) -> None:
    VenueAccount.objects.create(venue=alpha, label="main", api_key="k", api_secret="s")

    response = console.get(_url("venue_delete", alpha.pk))

    assert response.status_code == 302
    assert "in use by 1 venue accounts and cannot be deleted. Disable it" in _said(response)[0]


def test_what_came_into_use_meanwhile_is_explained(
    console: Client, alpha: Venue, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*, venue_id: int) -> None:
        raise VenueInUse(venue="alpha", users="1 venue accounts")

    monkeypatch.setattr(console_pages, "delete_venue", refuse)

    response = console.post(_url("venue_delete", alpha.pk), {"post": "yes"})

    assert response.status_code == 302
    assert "in use by 1 venue accounts" in _said(response)[0]
    assert Venue.objects.filter(pk=alpha.pk).exists()


def test_passwords_in_options_are_on_no_page_and_stay_when_saved(
    console: Client, alpha: Venue
) -> None:
    kept = {"httpsProxy": "http://user:planted@proxy:1", "options": {"secret": "planted"}}
    Venue.objects.filter(pk=alpha.pk).update(options=kept)

    page = console.get(_url("venue_change", alpha.pk))
    shown = page.context["adminform"].form["options"].value()
    saved = console.post(
        _url("venue_change", alpha.pk), {**FORM, "name": "New name", "options": shown}
    )

    assert "planted" not in page.content.decode()
    assert "http://user:***@proxy:1" in shown
    assert saved.status_code == 302
    alpha.refresh_from_db()
    assert (alpha.name, alpha.options) == ("New name", kept)


def test_a_change_beside_a_masked_password_keeps_it(console: Client, alpha: Venue) -> None:
    Venue.objects.filter(pk=alpha.pk).update(options={"httpsProxy": "http://u:planted@proxy:1"})
    options = '{"httpsProxy": "http://u:***@proxy:1", "rateLimit": 9}'

    saved = console.post(_url("venue_change", alpha.pk), {**FORM, "options": options})

    assert saved.status_code == 302
    alpha.refresh_from_db()
    assert alpha.options == {"httpsProxy": "http://u:planted@proxy:1", "rateLimit": 9}


def test_who_may_only_look_reads_no_password_in_options(client: Client, alpha: Venue) -> None:
    Venue.objects.filter(pk=alpha.pk).update(options={"httpsProxy": "http://u:planted@proxy:1"})
    reader = User.objects.create_user("reader", is_staff=True)
    reader.user_permissions.add(Permission.objects.get(codename="view_venue"))
    client.force_login(reader)

    page = client.get(_url("venue_change", alpha.pk)).content.decode()

    assert "http://u:***@proxy:1" in page
    assert "planted" not in page
