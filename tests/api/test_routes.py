"""Addresses work with and without a slash at the end."""

import pytest
from django.urls import URLPattern, URLResolver
from django.urls.exceptions import Resolver404
from django.urls.resolvers import RegexPattern

from arbplatform.api.routes import route


def view(request, **kwargs):
    raise AssertionError


PATTERNS = URLResolver(
    RegexPattern(r"^/"), [route("things", view, "things"), route("things/<int:pk>", view, "thing")]
)


@pytest.mark.parametrize("path", ["/things", "/things/"])
def test_one_slash_is_optional(path):
    assert PATTERNS.resolve(path).url_name == "things"


@pytest.mark.parametrize("path", ["/things/7", "/things/7/"])
def test_parameters_are_found_either_way(path):
    match = PATTERNS.resolve(path)

    assert (match.url_name, match.kwargs) == ("thing", {"pk": 7})


@pytest.mark.parametrize(
    "path", ["/things//", "/thing", "/things/x", "/things/7/more", "/things/7//"]
)
def test_nothing_else_matches(path):
    with pytest.raises(Resolver404):
        PATTERNS.resolve(path)


def test_reversing_gives_the_address_without_the_slash():
    assert PATTERNS.reverse("thing", pk=7) == "things/7"


def test_a_route_is_an_ordinary_pattern_for_other_tools():
    assert isinstance(route("things", view), URLPattern)
    assert str(route("things/<int:pk>", view).pattern) == "things/<int:pk>"
