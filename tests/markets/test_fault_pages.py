"""The console's pages about faults: shown while active, changed by POST, for who may."""

import pytest
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse
from django.utils import translation

from accounts.models import VenueAccount
from markets.admin.fault_texts import FIELDS, KINDS
from markets.models import Venue
from markets.simulator.faults import kinds
from markets.simulator.faults.kinds import COMMON_FIELDS, GROUP_FIELDS, FaultKind

pytestmark = pytest.mark.django_db
BANNER = "Faults are planned here"


@pytest.fixture
def page(venue):
    return reverse("admin:markets_venue_faults", args=[venue.pk])


def said(response):
    return [str(message) for message in response.context["messages"]]


def text_of(response):
    assert response.status_code == 200
    return response.content.decode()


def test_every_kind_and_every_detail_has_words():
    takes = set().union(*(spec.fields for spec in kinds.KINDS.values()), *GROUP_FIELDS.values())

    assert set(KINDS) == set(FaultKind)
    # A raw path and a method are for files and tests; people choose an endpoint by its name.
    assert set(FIELDS) == (takes | COMMON_FIELDS) - {"kind", "path", "method"}


def test_every_word_is_translated():
    with translation.override("zh-hans"):
        chinese = [str(text) for texts in KINDS.values() for text in texts]
        chinese += [str(label) for label in FIELDS.values()]
    with translation.override("en"):
        english = [str(text) for texts in KINDS.values() for text in texts]
        english += [str(label) for label in FIELDS.values()]

    assert not [text for text, other in zip(chinese, english, strict=True) if text == other]


def test_a_fault_is_armed_and_shown_everywhere_until_it_is_removed(console, simulator, venue, page):
    form = {"kind": "refuse", "endpoint": "order.create", "code": "-1007", "times": "3"}
    venue_page = reverse("admin:markets_venue_change", args=[venue.pk])
    lists = reverse("admin:markets_venue_changelist")

    before = [BANNER in text_of(console.get(address)) for address in (venue_page, lists)]
    armed = console.post(page, form, follow=True)
    [row] = simulator.control.list_faults("alpha")
    during = [text_of(console.get(address)) for address in (venue_page, lists)]
    remove = reverse("admin:markets_venue_fault_remove", args=[venue.pk, row["id"]])
    removed = console.post(remove, follow=True)

    assert before == [False, False]
    assert row["fault"] == {
        "kind": "refuse",
        "endpoint": "order.create",
        "code": -1007,
        "times": 3,
    }
    assert said(armed) == [f"Fault {row['id']} is armed."]
    shown = text_of(armed)
    assert "error of the venue" in shown
    assert "endpoint: order.create, venue&#x27;s code: -1007" in shown
    assert f'action="{remove}"' in shown
    assert all(BANNER in text and "1 active fault" in text and page in text for text in during)
    assert said(removed) == [f"Fault {row['id']} is removed."]
    assert "No fault is active" in text_of(removed)
    assert simulator.control.list_faults("alpha") == []
    assert BANNER not in text_of(console.get(lists))


def test_the_page_shows_strikes_and_what_is_left(console, simulator, page):
    simulator.control.add_fault("alpha", "maintenance", for_ms=60_000)
    simulator.control.add_fault("alpha", "refuse", endpoint="ping", times=7, is_carried_out=True)

    shown = text_of(console.get(page))

    assert "endpoint: ping, carried out: yes" in shown

    assert "60 s" in shown
    assert '<td class="arb-number">7</td>' in shown
    assert "Plan faults of this simulated venue" not in shown


def test_every_detail_of_the_form_reaches_the_simulator(console, simulator, page):
    console.post(
        page,
        {
            "kind": "html",
            "symbol": "BTC/USDT",
            "side": "sell",
            "account": "ours",
            "times": "forever",
            "after": "2",
            "chance": "0.5",
            "status": "502",
            "is_carried_out": "false",
        },
    )

    [row] = simulator.control.list_faults("alpha")
    assert row["fault"] == {
        "kind": "html",
        "symbol": "BTC/USDT",
        "side": "sell",
        "account": "ours",
        "times": None,
        "after": 2,
        "chance": 0.5,
        "status": 502,
        "is_carried_out": False,
    }


def test_all_faults_are_removed_at_once(console, simulator, venue, page):
    for _ in range(2):
        simulator.control.add_fault("alpha", "maintenance")

    answer = console.post(reverse("admin:markets_venue_faults_clear", args=[venue.pk]), follow=True)

    assert said(answer) == ["Faults removed: 2."]
    assert simulator.control.list_faults("alpha") == []


@pytest.mark.parametrize(
    ("form", "complaint"),
    [
        ({"kind": "clock_skew"}, "clock_skew needs offset_ms"),
        ({"kind": "refuse", "symbol": "BTC/EUR"}, "the venue has no BTCEUR"),
        ({"kind": "refuse", "times": "often"}, "times: Input should be a valid integer"),
    ],
)
def test_what_the_simulator_refuses_is_said_and_the_form_stays(
    console, simulator, page, form, complaint
):
    answer = console.post(page, form)

    [text] = said(answer)
    assert complaint in text
    assert f'value="{form["kind"]}" selected' in text_of(answer)
    assert "<details>" in text_of(answer)
    assert simulator.control.list_faults("alpha") == []


def test_details_that_were_typed_are_not_folded_away(console, simulator, page):
    answer = console.post(page, {"kind": "refuse", "symbol": "BTC/EUR", "status": "502"})

    assert "<details open>" in text_of(answer)
    assert 'name="status" value="502"' in text_of(answer)


def test_an_unknown_kind_is_refused_by_the_form(console, simulator, page):
    answer = console.post(page, {"kind": "explode"})

    assert "explode" in text_of(answer)
    assert simulator.control.list_faults("alpha") == []


def test_a_simulator_that_is_away_is_said(console, simulator, venue, page):
    simulator.stop()

    assert "cannot be reached" in said(console.get(page))[0]
    assert console.get(reverse("admin:markets_venue_changelist")).status_code == 200


def test_a_real_venue_has_no_such_page(console, venue):
    Venue.objects.filter(pk=venue.pk).update(rest_origin="")
    venue_page = reverse("admin:markets_venue_change", args=[venue.pk])

    assert console.get(reverse("admin:markets_venue_faults", args=[venue.pk])).status_code == 404
    assert "Plan faults" not in text_of(console.get(venue_page))
    assert console.get(reverse("admin:markets_venue_faults", args=[999])).status_code == 404


def test_a_link_or_a_foreign_form_changes_nothing(superuser, simulator, venue, page):
    number = simulator.control.add_fault("alpha", "maintenance")
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(superuser)
    clear = reverse("admin:markets_venue_faults_clear", args=[venue.pk])
    remove = reverse("admin:markets_venue_fault_remove", args=[venue.pk, number])

    assert [browser.get(address).status_code for address in (clear, remove)] == [405, 405]
    posts = [browser.post(address, {"kind": "refuse"}) for address in (page, clear, remove)]
    assert [answer.status_code for answer in posts] == [403, 403, 403]
    assert len(simulator.control.list_faults("alpha")) == 1


def test_who_may_not_change_venues_may_not_plan_faults(staff, simulator, venue, page):
    staff.user_permissions.add(Permission.objects.get(codename="view_venue"))
    browser = Client()
    browser.force_login(staff)

    answers = [browser.get(page), browser.post(page, {"kind": "maintenance"})]

    assert [answer.status_code for answer in answers] == [403, 403]
    assert simulator.control.list_faults("alpha") == []


def test_the_overview_says_where_faults_are_active(console, staff_api, simulator, venue):
    simulator.control.add_fault("alpha", "maintenance")

    [row] = staff_api.get("/api/overview").json()["data"]["venues"]

    assert (row["code"], row["is_simulated"], row["fault_count"]) == ("mine", True, 1)
    assert "1 active fault" in text_of(console.get("/admin/"))
    simulator.control.clear_faults("alpha")
    assert "active fault" not in text_of(console.get("/admin/"))


def test_play_money_is_called_so_whether_or_not_its_simulator_answers(
    console, staff_api, simulator, venue
):
    only_practice, some_of_it = "Practice.", "The totals include play money: simulated are Mine."
    assert only_practice not in text_of(console.get("/admin/"))  # nobody has an account there
    VenueAccount.objects.create(venue=venue, label="main", api_key="k", api_secret="s")
    assert only_practice in text_of(console.get("/admin/"))

    real = Venue.objects.create(code="real", ccxt_id="binance")
    assert only_practice in text_of(console.get("/admin/"))
    VenueAccount.objects.create(venue=real, label="main", api_key="k", api_secret="s")
    page = text_of(console.get("/admin/"))
    assert some_of_it in page
    assert only_practice not in page

    simulator.stop()
    assert some_of_it in text_of(console.get("/admin/"))
    real.accounts.all().delete()
    assert only_practice in text_of(console.get("/admin/"))
    rows = staff_api.get("/api/overview").json()["data"]["venues"]
    assert {row["code"]: row["is_simulated"] for row in rows} == {"mine": True, "real": False}


def test_where_nothing_ever_answered_money_is_not_called_real(console, staff_api):
    silent = Venue.objects.create(
        code="silent", name="Silent", ccxt_id="binance", rest_origin="http://127.0.0.1:1/silent"
    )
    VenueAccount.objects.create(venue=silent, label="main", api_key="k", api_secret="s")

    page = text_of(console.get("/admin/"))

    assert "because nothing answers there: Silent. What they hold may be play money." in page
    assert "perhaps simulated" in page
    assert "Practice." not in page
    [row] = staff_api.get("/api/overview").json()["data"]["venues"]
    assert (row["is_simulated"], row["fault_count"]) == (None, 0)
