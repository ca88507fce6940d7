"""Sentences that are said no more are read in each language as long as rows hold them."""

import re

import pytest
from django.utils import translation

from arbplatform.core.errors import Message
from arbplatform.management.error_codes import all_errors
from arbplatform.persistence.former_sentences import FORMER
from arbplatform.persistence.sentences import keep_sentence, read_sentence
from arbplatform.wording import render


@pytest.mark.parametrize("former", FORMER, ids=lambda former: former.template[:24])
def test_a_row_with_the_old_words_of_an_error_is_told_in_chinese(former):
    names = re.findall(r"{(\w+)}", former.template)
    kept = keep_sentence(Message(former.template, dict.fromkeys(names, "<1>")))

    with translation.override("zh-hans"):
        said = render(read_sentence(kept))

    assert said.count("<1>") == len(names)
    assert not re.search("[A-Za-z]{4}", said)


def test_what_is_still_said_is_no_former_sentence():
    assert not {former.template for former in FORMER} & {each.summary for each in all_errors()}
