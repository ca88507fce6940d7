"""Every answer has one shape."""

import json

import pytest
from rest_framework.response import Response


def test_a_success_is_wrapped_and_keeps_its_status(call):
    response = call(lambda request: Response({"x": 1}, status=201))

    assert response.status_code == 201
    assert json.loads(response.content) == {"code": 0, "msg": "success", "data": {"x": 1}}
    assert response["Content-Type"] == "application/json; charset=utf-8"


def test_an_answer_without_content_gets_a_body(call):
    response = call(lambda request: Response(status=204), method="delete")

    assert response.status_code == 200
    assert json.loads(response.content) == {"code": 0, "msg": "success", "data": None}


def test_chinese_is_sent_as_chinese(call):
    response = call(lambda request: Response("套利"))

    assert "套利" in response.content.decode()


@pytest.mark.parametrize("accept", ["text/html", "application/xml", "image/*;q=0.1", "nonsense"])
def test_a_client_that_prefers_something_else_gets_json(call, accept):
    response = call(lambda request: Response(1), HTTP_ACCEPT=accept)

    assert response.status_code == 200
    assert json.loads(response.content)["data"] == 1
