"""Every request has an id that its answer carries."""

import re

import pytest


def test_an_id_is_made_up(client):
    first, second = (client.get("/healthz")["X-Request-ID"] for _ in range(2))

    assert re.fullmatch("[0-9a-f]{16}", first)
    assert first != second


def test_the_id_of_a_proxy_is_taken_over(client):
    assert client.get("/healthz", HTTP_X_REQUEST_ID="edge-7.a")["X-Request-ID"] == "edge-7.a"


@pytest.mark.parametrize("sent", ["", "a b", "x" * 65, "é", "a\nb"])
def test_what_could_forge_a_log_line_is_not(client, sent):
    assert client.get("/healthz", HTTP_X_REQUEST_ID=sent)["X-Request-ID"] != sent
