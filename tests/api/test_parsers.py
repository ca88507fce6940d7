"""Bodies that no database could keep are refused at the door."""

import json

import pytest
from rest_framework.response import Response

from arbplatform.api.errors import BodyTooLarge, MalformedBody, UnsupportedContentType


def echo(request):
    return Response(request.data)


def send(call, body, content_type="application/json"):
    response = call(echo, "post", body, content_type=content_type)
    return response.status_code, json.loads(response.content)


def test_json_is_read(call):
    body = {"a": [1, 2.5, "套利", None, True, {"b": "x"}]}

    status, answer = send(call, json.dumps(body))

    assert (status, answer["data"]) == (200, body)


def test_a_body_is_read_up_to_a_length(call, settings):
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 10

    assert send(call, '"12345678"')[0] == 200
    status, answer = send(call, '"123456789"')
    assert (status, answer["code"]) == (413, BodyTooLarge.code)


@pytest.mark.parametrize(
    "body",
    [
        "{",
        "{'a': 1}",
        '{"a": NaN}',
        '{"a": Infinity}',
        '{"a": 1e999}',
        '{"a": "\\u0000"}',
        '{"\\u0000": 1}',
        '{"a": "\\ud800"}',
        '["\\udfff"]',
        "[" * 100_000,
        "[" + "0," * 100_000 + "0]",
        b"\xff\xfe",
        '{"a": ' + "9" * 5000 + "}",
        "null",
    ],
    ids=range(14),
)
def test_what_is_not_storable_json_is_refused_with_its_own_code(call, body):
    status, answer = send(call, body)

    assert (status, answer["code"], answer["data"]) == (400, MalformedBody.code, None)
    assert answer["msg"].startswith("The body is not valid JSON: ")


def test_an_unknown_encoding_is_read_as_utf8(call):
    status, answer = send(call, '{"a": "套利"}'.encode(), "application/json; charset=klingon")

    assert (status, answer["data"]) == (200, {"a": "套利"})


@pytest.mark.parametrize("content_type", ["text/plain", "application/xml", "multipart/form-data"])
def test_other_content_types_are_refused_by_name(call, content_type):
    status, answer = send(call, "x", content_type)

    assert (status, answer["code"]) == (415, UnsupportedContentType.code)
    assert content_type in answer["msg"]
