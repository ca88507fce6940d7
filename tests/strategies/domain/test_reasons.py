import json
import re
import string
from decimal import Decimal as D

import pytest

from strategies.domain.reasons import REASONS, REJECTIONS_MAX, nearest, reject


@pytest.mark.parametrize("code", REASONS)
def test_every_reason_is_a_snake_case_code_with_a_finished_sentence(code):
    template = REASONS[code]

    assert re.fullmatch(r"[a-z]+(_[a-z]+)*", code)
    assert template.endswith(".")
    assert all(name for _, name, _, _ in string.Formatter().parse(template) if name is not None)


def test_figures_are_shown_as_a_person_reads_them_and_are_json():
    rejection = reject(
        "pair",
        "profit_below_min",
        edge_bps=D("12.345678912345"),
        profit=D("0.000001234567891234"),
        notional=D("123456.789012345"),
        profit_min=D("1E+2"),
        asset="USDT",
    )

    assert rejection.message.context == {
        "edge_bps": "12.34",
        "profit": "0.0000012345678",
        "notional": "123456.78",
        "profit_min": "100",
        "asset": "USDT",
    }
    assert json.dumps(rejection.message.context)
    assert rejection.edge_bps == D("12.34567891")


def test_an_edge_is_never_rounded_up_to_the_minimum():
    rejection = reject("x", "edge_too_good", edge_bps=D("4.9999"), edge_bps_max=D("-0.001"))

    assert rejection.message.context == {"edge_bps": "4.99", "edge_bps_max": "-0.01"}


def without_edge(count):
    return [reject(f"{n}", "no_book", symbol="X/Y", venue="v") for n in range(count)]


def with_edges(*edges):
    return [reject("x", "edge_too_good", edge_bps=D(edge), edge_bps_max=D(1)) for edge in edges]


def test_the_highest_edges_come_first_after_what_hides_edges():
    kept = nearest([*with_edges(-5, 3, 1), *without_edge(2)])

    assert [rejection.edge_bps for rejection in kept] == [None, None, 3, 1, -5]


def test_no_more_are_kept_than_the_bound():
    kept = nearest([*with_edges(*range(100)), *without_edge(100)])

    assert len(kept) == REJECTIONS_MAX
    assert [rejection.edge_bps for rejection in kept[10:]] == list(range(99, 89, -1))


def test_what_hides_edges_may_take_all_room_that_edges_leave():
    assert len(nearest(without_edge(100))) == REJECTIONS_MAX
    assert len(nearest([*without_edge(100), *with_edges(1)])) == REJECTIONS_MAX
