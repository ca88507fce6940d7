"""Engines over HTTP: which live, and what each of them holds."""

import pytest

from strategies.domain.states import StrategyDriver
from strategies.models import EngineProcess
from strategies.services.leases import (
    Engine,
    acquire_leases,
    drain_engine,
    renew_leases,
    strike_engine,
)
from strategies.services.runs import start_strategy

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("long_leases")]

ENGINES = {name: Engine(name, "here", 7) for name in ("lives", "ends", "ended", "lost")}


@pytest.fixture
def strategy(make_cross, calm):
    """A strategy that the living engine holds."""
    row = make_cross(driver=StrategyDriver.STREAM)
    start_strategy(strategy_id=row.pk, user=None)
    for engine in ENGINES.values():
        renew_leases(engine=engine, tokens={})
    drain_engine(engine=ENGINES["ends"])
    strike_engine(engine=ENGINES["ended"])
    acquire_leases(engine=ENGINES["lives"], limit=1)
    lost = EngineProcess.objects.get(name="lost")
    EngineProcess.objects.filter(name="lost").update(
        heartbeat_at=lost.heartbeat_at.replace(year=lost.heartbeat_at.year - 1)
    )
    return row


def test_engines_are_listed_with_what_they_hold_those_that_live_first(user_api, strategy):
    response = user_api.get("/api/engines")

    assert response.status_code == 200
    rows = response.json()["data"]
    assert [(row["name"], row["status"], row["strategies"]) for row in rows] == [
        ("ends", "ending", []),
        ("lives", "alive", [strategy.pk]),
        ("lost", "lost", []),
        ("ended", "ended", []),
    ]
    assert (rows[1]["machine"], rows[1]["pid"], rows[1]["stopped_at"]) == ("here", 7, None)


def test_strangers_see_no_engines(anonymous_api, db):
    assert anonymous_api.get("/api/engines").status_code == 401


def test_a_strategy_says_by_what_it_is_driven_and_who_holds_it(user_api, strategy):
    data = user_api.get(f"/api/strategies/{strategy.pk}").json()["data"]

    assert (data["driver"], data["lease_holder"], data["lease_fence"]) == ("stream", "lives", 1)


def test_the_driver_is_chosen_and_a_change_of_something_else_leaves_it(staff_api, accounts):
    body = {
        "name": "cross",
        "type": "cross-venue",
        "params": {"symbols": ["BTC/USDT"]},
        "accounts": [account.pk for account in accounts],
    }

    created = staff_api.post("/api/strategies", body, format="json").json()["data"]
    assert created["driver"] == "stream"
    address = f"/api/strategies/{created['id']}"
    changed = staff_api.patch(address, {"driver": "schedule"}, format="json").json()["data"]
    assert changed["driver"] == "schedule"
    replaced = staff_api.put(address, {**body, "name": "other"}, format="json").json()["data"]
    assert (replaced["name"], replaced["driver"]) == ("other", "schedule")
    wrong = staff_api.patch(address, {"driver": "dice"}, format="json")
    assert (wrong.status_code, "driver" in str(wrong.json()["data"])) == (400, True)


def test_the_console_lists_engines_and_what_one_holds(console, strategy):
    text = console.get("/admin/strategies/engineprocess/").content.decode()

    for word in ("lives", "alive", "ending", "ended", "lost"):
        assert word in text
    row = EngineProcess.objects.get(name="lives")
    page = console.get(f"/admin/strategies/engineprocess/{row.pk}/change/").content.decode()
    assert f"/admin/strategies/strategy/{strategy.pk}/change/" in page
    assert console.get("/admin/strategies/engineprocess/add/").status_code == 403


def test_the_page_of_a_strategy_names_its_engine(console, strategy, make_cross):
    address = "/admin/strategies/strategy/{}/change/"

    assert "lease 1, 0 decisions in this run" in (
        console.get(address.format(strategy.pk)).content.decode()
    )
    scheduled = make_cross("scheduled")
    assert "Ticks of this run" in console.get(address.format(scheduled.pk)).content.decode()
