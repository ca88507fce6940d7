"""Faults of simulated venues through the API: staff only, simulated venues only."""

import pytest

from arbplatform.core.errors import Denied, InvalidInput
from markets.errors import NotSimulated, UnknownFault, UnknownVenue, VenueUnavailable
from markets.models import Venue

pytestmark = pytest.mark.django_db
FAULTS = "/api/venues/mine/faults"
BODY = {"kind": "partial_fill", "symbol": "BTC/USDT", "part": 0.25, "times": 2}


def test_staff_arm_look_at_and_disarm_faults(staff_api, simulator, venue):
    armed = staff_api.post(FAULTS, BODY, format="json")
    staff_api.post(f"{FAULTS}/", {"kind": "maintenance"}, format="json")
    shown = staff_api.get(FAULTS).json()["data"]
    removed = staff_api.delete(f"{FAULTS}/{armed.json()['data']['id']}")
    left = [row["fault"]["kind"] for row in simulator.control.list_faults("alpha")]
    cleared = staff_api.delete(FAULTS)

    assert (armed.status_code, armed.json()["code"]) == (201, 0)
    [_, row] = shown["active"]
    assert row | {"armed_at": ""} == {
        "id": armed.json()["data"]["id"],
        "kind": "partial_fill",
        "details": {"symbol": "BTC/USDT", "part": "0.25", "times": 2},
        "armed_at": "",
        "struck": 0,
        "left": 2,
        "left_ms": None,
    }
    assert (shown["ended"], shown["struck"]) == ([], {})
    assert (removed.status_code, cleared.status_code) == (200, 200)
    assert left == ["maintenance"]
    assert simulator.control.list_faults("alpha") == []


def test_readers_neither_see_nor_change_faults(user_api, simulator, venue):
    simulator.control.add_fault("alpha", "maintenance")

    answers = [
        user_api.get(FAULTS),
        user_api.post(FAULTS, BODY, format="json"),
        user_api.delete(FAULTS),
        user_api.delete(f"{FAULTS}/1"),
    ]

    assert {(answer.status_code, answer.json()["code"]) for answer in answers} == {
        (403, Denied.code)
    }
    assert len(simulator.control.list_faults("alpha")) == 1


@pytest.mark.parametrize("body", [{"kind": "explode"}, {}, [], "x", {"kind": ["refuse"]}])
def test_what_makes_no_sense_is_refused(staff_api, simulator, venue, body):
    answer = staff_api.post(FAULTS, body, format="json")

    assert (answer.status_code, answer.json()["code"]) == (400, InvalidInput.code)
    assert simulator.control.list_faults("alpha") == []


def test_a_fault_that_is_not_armed_is_not_found(staff_api, venue):
    answer = staff_api.delete(f"{FAULTS}/7")

    assert (answer.status_code, answer.json()["code"]) == (404, UnknownFault.code)


@pytest.mark.parametrize("method", ["get", "post", "delete"])
def test_a_real_venue_cannot_be_told_to_fail(staff_api, method):
    Venue.objects.create(code="mine", name="Mine", ccxt_id="binance")

    body = None if method == "get" else BODY
    answer = getattr(staff_api, method)(FAULTS, body, format="json")
    unknown = getattr(staff_api, method)("/api/venues/nosuch/faults", body, format="json")

    assert (answer.status_code, answer.json()["code"]) == (409, NotSimulated.code)
    assert (unknown.status_code, unknown.json()["code"]) == (404, UnknownVenue.code)


def test_a_simulator_that_is_down_is_unavailable(staff_api, simulator, venue):
    simulator.stop()

    answer = staff_api.get(FAULTS)

    assert (answer.status_code, answer.json()["code"]) == (503, VenueUnavailable.code)
