"""Sends the requests of ccxt's classes without what a browser would do before."""

import re
from collections.abc import Mapping
from typing import Any

from requests import (  # noqa: TID251  this is markets.gateway
    PreparedRequest,
    RequestException,
    Response,
    Session,
    TooManyRedirects,
)
from requests.hooks import default_hooks  # noqa: TID251  this is markets.gateway
from requests.utils import requote_uri  # noqa: TID251  this is markets.gateway

_PLAIN_ADDRESS = re.compile(r"[\w\-.~:/?#\[\]@!$&'()*+,;=]*", re.ASCII)
"""Addresses in which nothing is quoted or would have to be."""

ANSWER_BYTES_MAX = 64 * 1024 * 1024
"""No answer of a venue is larger [bytes]; one that is packed could hold a thousand times itself."""

PART_BYTES = 10_240
"""What is unpacked at a time [bytes], as in ``requests`` itself."""


class AnswerTooLarge(RequestException):
    """An answer that no memory should be filled with; what it says is not known."""


class PlainSession(Session):
    """A session whose requests need no preparation, since ccxt has made them ready.

    What ``requests`` would still do to them (merging of settings, cookies, authentication, hooks)
    changes nothing, and takes longer than signing an order does. What it would change is left to
    it: requests through proxies, with files, or with an address that has to be quoted.

    Args:
        is_environment_trusted: whether proxies and certificates of the environment are used.
    """

    def __init__(self, *, is_environment_trusted: bool = False) -> None:
        super().__init__()
        # every request copies them: the mapping that ignores case takes longer than all else here
        self.headers = dict(self.headers)  # type: ignore[assignment]
        self.trust_env = is_environment_trusted
        self.max_redirects = 0  # a redirect could carry a signed request elsewhere

    def request(self, method: str, url: str, **options: Any) -> Response:  # type: ignore[override]
        """Send one request and read its answer, up to a bound; a redirect is an error.

        Args:
            method: of HTTP.
            url: with its query, quoted.
            options: as ``requests`` takes them; ccxt gives data, headers, timeout, proxies, verify
                and files.

        Raises:
            requests.RequestException: as ``requests`` itself.
        """
        data, headers = options.get("data") or None, options.get("headers") or {}
        is_ready = isinstance(data, bytes | None) and _is_quoted(url)
        if not is_ready or self.trust_env or options.get("proxies") or options.get("files"):
            return _read(super().request(method, url, **options, stream=True))
        request = PreparedRequest()
        request.method, request.url, request.body = method.upper(), url, data
        # urllib3 takes any mapping
        request.headers = self._headers_of(request.method, data, headers)  # type: ignore[assignment]
        request.hooks = default_hooks()
        response = self.get_adapter(url).send(
            request,
            stream=True,
            timeout=options.get("timeout"),
            verify=options.get("verify", self.verify),
            cert=self.cert,
        )
        _read(response)  # while errors of the connection are still ours to raise
        if response.is_redirect:
            raise TooManyRedirects("A redirect is not followed.", response=response)
        return response

    def _headers_of(
        self, method: str, data: bytes | None, headers: Mapping[str, str | None]
    ) -> dict[str, Any]:
        # of one name in two spellings the last one counts, and what has no value is left out
        given = {name.lower(): (name, value) for name, value in headers.items()}
        merged = {name: value for name, value in self.headers.items() if name.lower() not in given}
        merged.update((name, value) for name, value in given.values() if value is not None)
        if data:
            merged["Content-Length"] = str(len(data))
        elif method not in {"GET", "HEAD"}:
            merged["Content-Length"] = "0"
        return merged


def _is_quoted(url: str) -> bool:
    """Return whether ``requests`` would leave an address as it is."""
    return _PLAIN_ADDRESS.fullmatch(url) is not None or requote_uri(url) == url


def _read(response: Response) -> Response:
    """Read an answer to its end.

    Raises:
        AnswerTooLarge: it has none in sight.
    """
    parts, size = [], 0
    for part in response.iter_content(PART_BYTES):
        parts.append(part)
        size += len(part)
        if size > ANSWER_BYTES_MAX:
            response.close()
            raise AnswerTooLarge(f"The answer is larger than {ANSWER_BYTES_MAX} bytes.")
    response._content = b"".join(parts)  # noqa: SLF001  where ``requests`` keeps what it has read
    return response
