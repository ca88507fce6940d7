"""The last thing of ours that a request passes on its way to the connection."""

import weakref
from typing import Any

from requests.adapters import HTTPAdapter  # noqa: TID251  this is markets.gateway


class LastDoor(HTTPAdapter):
    """Asks, when a request is ready down to its last byte, whether it may leave.

    Args:
        client: whose requests.
    """

    def __init__(self, client: Any) -> None:
        super().__init__()
        self._client = weakref.ref(client)  # it holds the session that holds this

    def send(self, request: Any, *args: Any, **kwargs: Any) -> Any:
        """Send a request, or raise ``TooLate``."""
        client = self._client()
        if client is not None:
            client.ask_to_leave()
        return super().send(request, *args, **kwargs)
