"""The plan: reproducible, complete, and within the storm."""

from dataclasses import replace

import pytest

from markets.simulator.faults.config import parse_fault
from markets.simulator.faults.kinds import KINDS, Group
from tests.chaos.monkey import Monkey
from tests.chaos.plan import (
    CALM_AT_END_S,
    CALM_AT_START_S,
    DATABASE,
    ENGINES,
    ENGINES_TOGETHER,
    FUNDS,
    GUST_EVERY_S,
    GUST_PART,
    HALTS,
    PROCESSES,
    REPEATED_TASKS,
    SCANNER,
    STREAM_FAULTS,
    VENUE_FAULTS,
    VENUE_STATES,
    make_plan,
    prolong,
)

WIDE = (*VENUE_STATES, *PROCESSES, *HALTS, *DATABASE)
ALL = (*WIDE, *VENUE_FAULTS, *SCANNER, REPEATED_TASKS, *FUNDS)
STREAMED = (*ENGINES, ENGINES_TOGETHER, *STREAM_FAULTS)
NAMES = ("engine", "engine-2")


def test_a_storm_that_comes_again_is_the_same():
    plan = make_plan(seed=7, seconds=100, has_server=True)

    three = prolong(plan, seconds=100)

    assert three[: len(plan)] == plan
    again = three[2 * len(plan) :]
    assert [replace(act, at_s=act.at_s + 200) for act in plan] == again


def test_the_same_seed_makes_the_same_plan():
    one = make_plan(seed=7, seconds=100, has_server=True)

    assert one == make_plan(seed=7, seconds=100, has_server=True)
    assert one != make_plan(seed=8, seconds=100, has_server=True)


@pytest.mark.parametrize("seconds", [30, 120, 420])
def test_every_kind_happens_however_short_the_storm(seconds):
    plan = make_plan(seed=1, seconds=seconds, has_server=True)

    assert {act.kind for act in plan} == {recipe.kind for recipe in ALL}
    assert all(CALM_AT_START_S <= act.at_s <= seconds - CALM_AT_END_S for act in plan)
    assert [act.at_s for act in plan] == sorted(act.at_s for act in plan)


@pytest.mark.parametrize("seconds", [30, 120, 420])
def test_what_takes_everybody_down_comes_in_gusts_with_calm_spells_between(seconds):
    plan = make_plan(seed=1, seconds=seconds, has_server=True)
    span = seconds - CALM_AT_START_S - CALM_AT_END_S
    cycle_s = span / max(1, round(span / GUST_EVERY_S))
    wide = {recipe.kind for recipe in WIDE}

    def latest(acts):
        return max((act.at_s - CALM_AT_START_S) % cycle_s for act in acts) / cycle_s

    assert latest(act for act in plan if act.kind in wide) <= GUST_PART + 0.01
    assert latest(act for act in plan if act.kind not in wide) > GUST_PART + 0.3


def test_engines_and_their_streams_are_met_only_where_there_are_any():
    without = make_plan(seed=1, seconds=30, has_server=True)
    plan = make_plan(seed=1, seconds=120, has_server=True, engines=NAMES)

    assert not {act.kind for act in without} & {recipe.kind for recipe in STREAMED}
    assert {act.kind for act in plan} == {recipe.kind for recipe in (*ALL, *STREAMED)}
    kinds = {recipe.kind for recipe in ENGINES}
    assert {act.target for act in plan if act.kind in kinds} == set(NAMES)
    (frozen,) = [act for act in plan if act.kind == ENGINES_TOGETHER.kind]
    assert frozen.options["names"] == NAMES


def test_every_way_in_which_a_stream_can_fail_is_met_by_books_and_by_accounts():
    kinds = {kind.value for kind, spec in KINDS.items() if spec.group is Group.FEED}

    for stream in ("market", "user"):
        recipes = [each for each in STREAM_FAULTS if each.options.get("stream") == stream]
        assert {each.options["kind"] for each in recipes} == kinds


def test_a_database_that_is_a_file_is_not_restarted():
    plan = make_plan(seed=1, seconds=120, has_server=False)

    assert not {act.kind for act in plan} & {recipe.kind for recipe in DATABASE}


def test_each_kind_has_a_name_of_its_own():
    every = (*ALL, *STREAMED)

    assert len({recipe.kind for recipe in every}) == len(every)


def test_the_monkey_knows_every_deed():
    assert all(callable(getattr(Monkey, f"_{recipe.deed}", None)) for recipe in (*ALL, *STREAMED))


def test_the_venues_understand_every_fault():
    faults = [recipe.options for recipe in (*ALL, *STREAMED) if recipe.deed == "fault"]

    assert all(parse_fault(dict(fault)) for fault in faults)
