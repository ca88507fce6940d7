"""Pages are bounded, counted, and honest about wrong numbers."""

import json

import pytest
from django.contrib.auth.models import User
from rest_framework.request import Request
from rest_framework.response import Response

from arbplatform.api.pagination import PAGE_SIZE, PAGE_SIZE_MAX, PagePagination


def page(call, query, rows=range(120)):
    def behave(request: Request) -> Response:
        pages = PagePagination()
        found = pages.paginate_queryset(rows, request)
        return pages.get_paginated_response(found)

    response = call(behave, data=query)
    return response.status_code, json.loads(response.content)


def test_the_first_page_comes_unasked(call):
    status, body = page(call, {})

    assert status == 200
    assert body["data"] == {
        "count": 120,
        "page": 1,
        "page_size": PAGE_SIZE,
        "results": list(range(PAGE_SIZE)),
    }


def test_the_last_page_is_short_and_the_next_one_empty(call):
    assert page(call, {"page": 3})[1]["data"]["results"] == list(range(100, 120))
    assert page(call, {"page": 4})[1]["data"]["results"] == []


def test_the_page_size_can_be_chosen(call):
    data = page(call, {"page": 2, "page_size": 7})[1]["data"]

    assert (data["page_size"], data["results"]) == (7, [7, 8, 9, 10, 11, 12, 13])


@pytest.mark.parametrize("number", ["0", "-1", "x", "1.5", "٣", "²", "9" * 40, " "])
@pytest.mark.parametrize("name", ["page", "page_size"])
def test_a_wrong_number_is_refused_by_name(call, name, number):
    status, body = page(call, {name: number})

    assert (status, body["code"]) == (400, 1001)
    assert list(body["data"]["fields"]) == [name]


def test_more_than_the_largest_page_is_refused_not_cut(call):
    assert page(call, {"page_size": PAGE_SIZE_MAX})[0] == 200

    status, body = page(call, {"page_size": PAGE_SIZE_MAX + 1})

    assert status == 400
    assert body["data"]["fields"] == {"page_size": ["Give a whole number from 1 to 200."]}


@pytest.mark.django_db
def test_a_page_after_the_last_one_costs_one_query(call, django_assert_num_queries):
    with django_assert_num_queries(1):
        status, _body = page(call, {"page": 999_999_999}, User.objects.order_by("id"))

    assert status == 200
