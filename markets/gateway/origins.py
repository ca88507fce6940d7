"""Points a ccxt instance at another address: testnets, proxies, simulated and self-hosted venues.

Only scheme, host, port and path prefix change; the path that a class puts behind them is kept, so
the bytes of a request are those that the venue's own address would get.
"""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit, urlunsplit

REST_SCHEMES = frozenset({"http", "https"})
WS_SCHEMES = frozenset({"ws", "wss"})

LOCAL_HOSTS = frozenset({"localhost", "127.0.0.1", "::1"})

PAGES_FOR_PEOPLE = frozenset({"logo", "www", "doc", "fees", "referral", "api_management"})
"""Keys of ccxt's ``urls`` that no request is sent to."""


def rewrite_urls(urls: Mapping[str, Any], *, rest_origin: str, ws_origin: str) -> dict[str, Any]:
    """Return ccxt's ``urls`` with every address that requests could go to moved.

    Args:
        urls: as ccxt describes them: nested dicts and lists, ``{hostname}`` templates included.
        rest_origin: ``http(s)://host[:port][/prefix]``, or empty to leave REST where it is.
        ws_origin: ``ws(s)://host[:port][/prefix]``, or empty to leave WebSockets where they are.
    """
    return {
        key: part
        if key in PAGES_FOR_PEOPLE
        else _rewrite_part(part, rest_origin=rest_origin, ws_origin=ws_origin)
        for key, part in urls.items()
    }


def rewrite_url(url: str, *, rest_origin: str, ws_origin: str) -> str:
    """Return ``url`` at the origin of its kind; unchanged where that origin is empty.

    >>> rewrite_url("https://api.{hostname}/v5", rest_origin="http://[::1]:9/sim", ws_origin="")
    'http://[::1]:9/sim/v5'
    """
    scheme = url.partition("://")[0].lower()
    if scheme in REST_SCHEMES:
        origin = rest_origin
    elif scheme in WS_SCHEMES:
        origin = ws_origin
    else:
        return url
    if not origin:
        return url
    target, source = urlsplit(origin), urlsplit(url)
    path = target.path.rstrip("/") + source.path
    return urlunsplit((target.scheme, target.netloc, path, source.query, source.fragment))


def is_local(origin: str) -> bool:
    """Return whether an origin is on this machine.

    >>> is_local("http://[::1]:9/sim"), is_local("https://localhost.example"), is_local("")
    (True, False, False)
    """
    return urlsplit(origin).hostname in LOCAL_HOSTS


def is_under(url: str, origin: str) -> bool:
    """Return whether a request to ``url`` stays at ``origin`` and below its path prefix."""
    target, source = urlsplit(origin), urlsplit(url)
    prefix = target.path.rstrip("/")
    is_same_place = (source.scheme, source.netloc) == (target.scheme, target.netloc)
    return is_same_place and (source.path == prefix or source.path.startswith(prefix + "/"))


def pairs_of_urls(urls: Any, rewritten: Any) -> list[tuple[str, str]]:
    """Return (rewritten, original) of every address that moved, longest first.

    ccxt classes choose error tables by the address that was called; with these pairs an answer
    from the new place is read as one from the venue's own.
    """
    pairs = set(_walk_pairs(urls, rewritten))
    return sorted(pairs, key=lambda pair: (-len(pair[0]), pair))


def _rewrite_part(part: Any, *, rest_origin: str, ws_origin: str) -> Any:
    if isinstance(part, str):
        return rewrite_url(part, rest_origin=rest_origin, ws_origin=ws_origin)
    if isinstance(part, Mapping):
        return {
            key: _rewrite_part(value, rest_origin=rest_origin, ws_origin=ws_origin)
            for key, value in part.items()
        }
    if isinstance(part, list | tuple):
        return [_rewrite_part(v, rest_origin=rest_origin, ws_origin=ws_origin) for v in part]
    return part


def _walk_pairs(source: Any, target: Any) -> list[tuple[str, str]]:
    if isinstance(source, str):
        return [(target, source)] if source != target else []
    if isinstance(source, Mapping):
        return [pair for key in source for pair in _walk_pairs(source[key], target[key])]
    if isinstance(source, list | tuple):
        return [
            pair
            for left, right in zip(source, target, strict=True)
            for pair in _walk_pairs(left, right)
        ]
    return []
