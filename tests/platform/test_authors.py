"""Nobody passes for the platform where it is told who did something."""

import pytest
from django.contrib.auth import get_user_model

from arbplatform.authors import SYSTEM, keep_author, say_author


@pytest.mark.parametrize(
    "name",
    [
        "system",
        "SYSTEM",
        "\u0455ystem",  # Cyrillic
        "\u0455\u0443\u0455\u0442\u0435\u043c",
        "\uff53\uff59\uff53\uff54\uff45\uff4d",  # of double width
        "S\u03a5STEM",  # Greek capitals, whose small letters look otherwise
        "SYSTE\u039c",
        "\u13da\u13a9\u13da\u13a2\u13ac\u13b7",  # Cherokee
        "sy\u0301stem",
        "sy\u200bstem",  # a space of no width
        "sy5t3m",
        "system.",
        "\u7cfb\u7edf",
        "\u7cfb\u7d71",
    ],
)
def test_who_looks_like_the_platform_is_named_with_their_number(name):
    person = get_user_model()(pk=7, username=name)

    assert keep_author(person) == f"{name} (#7)"
    assert say_author(keep_author(person)) == f"{name} (#7)"


@pytest.mark.parametrize(
    "name", ["admin", "ann", "systems", "\u0438\u0432\u0430\u043d", "\u5f20\u4e09"]
)
def test_everybody_else_is_called_as_they_are(name):
    assert keep_author(get_user_model()(pk=7, username=name)) == name


def test_the_platform_itself_is_told_in_the_readers_language():
    assert keep_author(None) == SYSTEM
    assert say_author(SYSTEM) == "system"
