"""Risk limits over HTTP."""

from decimal import Decimal as D

import pytest

from strategies.domain.risk import Limits
from strategies.models import RiskLimits, RiskLimitsChange
from strategies.services.risk import DEFAULTS, LIMIT_NAMES, read_limits

pytestmark = pytest.mark.django_db

ADDRESS = "/api/risk/limits"
NONE = dict.fromkeys(LIMIT_NAMES)


def of(strategy):
    return f"{ADDRESS}/strategies/{strategy.pk}"


def test_without_any_setting_ours_are_in_force(user_api):
    data = user_api.get(ADDRESS).json()["data"]

    assert set(data["own"]) == set(data["in_force"]) == set(LIMIT_NAMES)
    assert data["own"] == NONE
    assert data["in_force"]["edge_bps_max"] == "1000"
    assert data["in_force"]["open_executions_max"] == DEFAULTS.open_executions_max
    assert (data["strategy_id"], data["changes"]) == (None, [])


def test_defaults_are_set_as_a_whole_and_kept_with_their_history(staff_api, staff):
    first = staff_api.put(ADDRESS, NONE | {"day_loss_max": "100.5"}, format="json")
    second = staff_api.put(ADDRESS, NONE | {"open_orders_max": 3}, format="json")

    assert first.json()["data"]["in_force"]["day_loss_max"] == "100.5"
    data = second.json()["data"]
    assert data["own"] == data["in_force"] == NONE | {"open_orders_max": 3}
    newest, oldest = data["changes"]
    assert (newest["before"]["day_loss_max"], newest["after"]["day_loss_max"]) == ("100.5", None)
    assert oldest["changed_by"] == staff.username
    assert RiskLimits.objects.count() == 1


def test_a_strategy_has_its_own_and_inherits_the_rest(staff_api, make_cross):
    strategy, other = make_cross("one"), make_cross("other")
    staff_api.put(ADDRESS, NONE | {"day_loss_max": "100", "edge_bps_max": "50"}, format="json")

    data = staff_api.put(of(strategy), NONE | {"day_loss_max": "10"}, format="json").json()["data"]

    assert data["strategy_id"] == strategy.pk
    assert (data["own"]["day_loss_max"], data["own"]["edge_bps_max"]) == ("10", None)
    assert (data["in_force"]["day_loss_max"], data["in_force"]["edge_bps_max"]) == ("10", "50")
    assert len(data["changes"]) == 1
    assert read_limits(other.pk) == Limits(day_loss_max=D(100), edge_bps_max=D(50))


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({name: None for name in LIMIT_NAMES if name != "depeg_bps_max"}, "depeg_bps_max"),
        (NONE | {"day_loss_max": "-1"}, "day_loss_max"),
        (NONE | {"open_orders_max": -1}, "open_orders_max"),
        (NONE | {"venue_share_max": "1.5"}, "venue_share_max"),
        (NONE | {"edge_bps_max": "much"}, "edge_bps_max"),
    ],
)
def test_what_is_missing_or_makes_no_sense_is_refused_and_changes_nothing(staff_api, body, field):
    answer = staff_api.put(ADDRESS, body, format="json")

    assert answer.status_code == 400
    assert field in answer.json()["data"]["fields"]
    assert RiskLimits.objects.count() == RiskLimitsChange.objects.count() == 0


def test_only_staff_may_set_limits(user_api, anonymous_api, cross):
    for address in (ADDRESS, of(cross)):
        assert user_api.put(address, NONE, format="json").status_code == 403
        assert anonymous_api.get(address).status_code == 401
    assert RiskLimitsChange.objects.count() == 0


def test_a_strategy_that_does_not_exist_has_no_limits(staff_api):
    assert staff_api.get(f"{ADDRESS}/strategies/4711").status_code == 404
    assert staff_api.put(f"{ADDRESS}/strategies/4711", NONE, format="json").status_code == 404
    assert RiskLimits.objects.count() == 0
