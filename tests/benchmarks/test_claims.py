"""What a recorded worker wrote down."""

import json

from benchmarks.parts.claims import count_overlaps, read_claims


def test_a_tick_that_begins_before_the_last_one_of_its_strategy_ended_overlaps():
    claims = [
        {"ids": [1, 2], "began": 0.0, "ended": 1.0},
        {"ids": [1], "began": 0.9, "ended": 1.5},
        {"ids": [2], "began": 1.0, "ended": 2.0},
        {"ids": [3], "began": 0.5, "ended": 0.6},
    ]
    assert count_overlaps(claims) == 1
    assert count_overlaps(claims[1:]) == 0


def test_a_line_that_is_still_being_written_is_left_for_later(tmp_path):
    path = tmp_path / "claims.jsonl"
    path.write_text(json.dumps({"ids": [1]}) + '\n{"ids": [')
    assert read_claims(path) == [{"ids": [1]}]
