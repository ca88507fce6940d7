"""How the tests of the pages read what a page says."""

from typing import Any

from django.contrib.messages import get_messages

ACCOUNTS = "/admin/accounts/venueaccount/"
TRANSFERS = "/admin/accounts/transfer/"
CONFIRMED = {"_form_submitted": "True"}


def said(response: Any) -> list[tuple[str, str]]:
    """Return level and text of each message that an answer leaves for the next page."""
    return [(message.level_tag, str(message)) for message in get_messages(response.wsgi_request)]


def text(response: Any) -> str:
    """Return the page."""
    assert response.status_code == 200
    return str(response.content.decode())
