"""Asks a simulator on this machine about what only simulations have: planned faults.

A venue is simulated when its REST origin is ``http://`` on a loopback address, with its code as the
whole path, and the program there answers as a simulator does.
"""

import json
from collections.abc import Mapping
from decimal import Decimal
from http.client import HTTPConnection, HTTPException
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from arbplatform.core.errors import InvalidInput
from markets.errors import NotSimulated, UnknownFault, VenueUnavailable
from markets.gateway.base import VenueSpec
from markets.gateway.origins import is_local

TIMEOUT_S = 2.0
"""A simulator on the same machine answers in milliseconds."""
ANSWER_BYTES_MAX = 4_000_000
_OK, _BAD_REQUEST, _NOT_FOUND = 200, 400, 404


class Simulation(NamedTuple):
    """Where a simulated venue is controlled.

    Attributes:
        venue: our code, for errors.
        address: host and port of the simulator.
        code: what the simulator calls the venue.
        timeout_s: how long to wait for it [s].
    """

    venue: str
    address: str
    code: str
    timeout_s: float = TIMEOUT_S

    def list_faults(self) -> Mapping[str, Any]:
        """Return ``faults``, ``ended`` and ``struck`` as the simulator shows them.

        Raises:
            NotSimulated: what answers there is no simulator, or does not have the venue.
            VenueUnavailable: nothing answers.
        """
        status, shown = self._ask("GET", "")
        if status != _OK or not isinstance(shown.get("faults"), list):
            raise NotSimulated(venue=self.venue)
        return shown

    def add_fault(self, fault: Mapping[str, Any]) -> int:
        """Arm a fault and return the number that it got.

        Raises:
            InvalidInput: the simulator refused it, with its reason.
            NotSimulated: what answers there is no simulator, or does not have the venue.
            VenueUnavailable: nothing answers; the fault may or may not be armed.
        """
        status, answer = self._ask("POST", "", fault)
        if status == _BAD_REQUEST:
            cause = str(answer.get("error", "")).removeprefix("The fault is not valid: ")
            raise InvalidInput("The fault is not valid: {cause}.", cause=cause.removesuffix("."))
        if status != _OK or not isinstance(answer.get("id"), int):
            raise NotSimulated(venue=self.venue)
        return int(answer["id"])

    def remove_fault(self, number: int) -> None:
        """Disarm one fault.

        Raises:
            UnknownFault: no fault with this number is armed.
            NotSimulated: what answers there is no simulator, or does not have the venue.
            VenueUnavailable: nothing answers.
        """
        status, answer = self._ask("DELETE", f"/{number}")
        if status == _NOT_FOUND and str(answer.get("error", "")).startswith("No fault"):
            raise UnknownFault(venue=self.venue, number=number)
        if status != _OK or "removed" not in answer:
            raise NotSimulated(venue=self.venue)

    def clear_faults(self) -> int:
        """Disarm all faults and return how many there were.

        Raises:
            NotSimulated: what answers there is no simulator, or does not have the venue.
            VenueUnavailable: nothing answers.
        """
        status, answer = self._ask("DELETE", "")
        if status != _OK or not isinstance(answer.get("removed"), int):
            raise NotSimulated(venue=self.venue)
        return int(answer["removed"])

    def _ask(
        self, method: str, path: str, body: Mapping[str, Any] | None = None
    ) -> tuple[int, Mapping[str, Any]]:
        sent = None if body is None else json.dumps(body, default=_to_json)
        connection = HTTPConnection(self.address, timeout=self.timeout_s)
        try:
            connection.request(method, f"/control/{self.code}/faults{path}", sent)
            answer = connection.getresponse()
            text = answer.read(ANSWER_BYTES_MAX)
        except (OSError, HTTPException) as error:
            raise VenueUnavailable(venue=self.venue, cause=str(error) or repr(error)) from None
        finally:
            connection.close()
        try:
            value = json.loads(text)
        except ValueError:
            value = {}
        return answer.status, value if isinstance(value, dict) else {}


def simulation_of(spec: VenueSpec) -> Simulation | None:
    """Return where a venue is controlled; ``None`` when it cannot be one on this machine."""
    parts = urlsplit(spec.rest_origin)
    code = parts.path.strip("/")
    if parts.scheme != "http" or not is_local(spec.rest_origin) or not code or "/" in code:
        return None
    return Simulation(spec.code, parts.netloc, code)


def _to_json(value: object) -> str:
    if isinstance(value, Decimal):
        return f"{value:f}"
    raise TypeError(value)
