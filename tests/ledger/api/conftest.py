"""How the tests read answers."""

import pytest


@pytest.fixture
def data():
    """Return the data of a success, after looking at its envelope."""

    def read(response):
        body = response.json()
        assert (response.status_code, body["code"], body["msg"]) == (200, 0, "success"), body
        return body["data"]

    return read


@pytest.fixture
def refusal():
    """Return status, code and named fields of a refusal, after looking at its envelope."""

    def read(response):
        body = response.json()
        assert set(body) == {"code", "msg", "data"}
        assert body["msg"]
        fields = sorted(body["data"]["fields"]) if body["data"] else []
        return response.status_code, body["code"], fields

    return read
