"""The pages of risk limits, and the figures on the page of an opportunity."""

from decimal import Decimal as D

import pytest

from strategies.domain.risk import Limits
from strategies.models import Opportunity, RiskLimits, RiskLimitsChange
from strategies.services.risk import LIMIT_NAMES, read_limits, save_limits
from strategies.services.ticks import run_tick

pytestmark = pytest.mark.django_db

LIST = "/admin/strategies/risklimits/"
EMPTY = dict.fromkeys(LIMIT_NAMES, "")


def test_defaults_and_limits_of_a_strategy_are_set_on_their_pages(console, superuser, make_cross):
    strategy = make_cross()

    console.post(LIST + "add/", EMPTY | {"strategy": "", "day_loss_max": "100.5"})
    console.post(LIST + "add/", EMPTY | {"strategy": strategy.pk, "open_executions_max": "2"})

    assert read_limits(strategy.pk) == Limits(day_loss_max=D("100.5"), open_executions_max=2)
    html = console.get(LIST).content.decode()
    assert "loss of one UTC day: 100.5" in html
    assert "open executions: 2" in html
    assert {row.changed_by for row in RiskLimitsChange.objects.all()} == {superuser.username}


def test_a_change_is_shown_with_before_and_after(console):
    row = save_limits(strategy_id=None, limits=Limits(day_loss_max=D(1)))

    answer = console.post(f"{LIST}{row.pk}/change/", EMPTY | {"day_loss_max": "2"})

    assert answer.status_code == 302
    assert RiskLimits.objects.get().day_loss_max == D(2)
    html = console.get("/admin/strategies/risklimitschange/").content.decode()
    assert "loss of one UTC day: 1 → 2" in html
    assert "loss of one UTC day: – → 1" in html


def test_a_refused_form_comes_back_as_typed_and_changes_nothing(console):
    typed = EMPTY | {"strategy": "", "venue_share_max": "2", "day_loss_max": "100.5"}

    answer = console.post(LIST + "add/", typed)

    html = answer.content.decode()
    form = answer.context["adminform"].form
    assert form.errors["venue_share_max"] == ["Give a share from 0 to 1."]
    assert "Give a share from 0 to 1." in html
    assert 'name="day_loss_max" value="100.5"' in html
    assert RiskLimits.objects.count() == 0


def test_limits_are_not_deleted(console):
    row = save_limits(strategy_id=None, limits=Limits(day_loss_max=D(1)))

    assert console.post(f"{LIST}{row.pk}/delete/", {"post": "yes"}).status_code == 403
    assert RiskLimits.objects.count() == 1


def test_the_figures_of_a_denial_are_shown_to_people_and_programs(console, staff_api, cross, edge):
    save_limits(strategy_id=None, limits=Limits(edge_bps_max=D(5)))
    run_tick(strategy_id=cross.pk)
    opportunity = Opportunity.objects.get()
    sentence = "is above the cap of 5 bps: too good to be true."

    page = console.get(f"/admin/strategies/opportunity/{opportunity.pk}/change/")
    detail = staff_api.get(f"/api/opportunities/{opportunity.pk}").json()["data"]
    strategy = staff_api.get(f"/api/strategies/{cross.pk}").json()["data"]

    assert sentence in page.content.decode()
    assert sentence in detail["reason_text"]
    assert detail["reason"] == "edge_above_cap"
    assert sentence in strategy["last_decision"]["left"][0]["reason_text"]
    assert (
        sentence in console.get(f"/admin/strategies/strategy/{cross.pk}/change/").content.decode()
    )
