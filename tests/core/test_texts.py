"""What others say is kept without what no database takes."""

import pytest

from arbplatform.core.texts import one_line, phrase, storable


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("", ""),
        ("  no\tfunds\r\n here ", "no funds here"),
        ("a\x00b\x1f\x7f", "a b"),
        ("half \ud83d of \udfff one", "half of one"),
        ("资金 \U0001f680", "资金 \U0001f680"),
    ],
)
def test_only_what_can_be_shown_in_one_line_is_kept(text: str, kept: str) -> None:
    assert one_line(text) == kept


def test_a_text_that_can_be_shown_is_kept_as_it_is() -> None:
    assert storable(" two  spaces ") == " two  spaces "
    assert storable("no\x00 funds\ud83d") == "no funds"


def test_a_part_of_a_sentence_brings_no_full_stop_of_its_own() -> None:
    assert phrase(" System is under\nmaintenance. ") == "System is under maintenance"
    assert phrase("系统维护中。") == "系统维护中"
    assert phrase("at 1.5") == "at 1.5"
