"""``ETag`` and ``If-Match``: who changes what they have read undoes nothing that was changed since.

A version is a keyed fingerprint of what can be set: figures that change by themselves are no part
of it, or nobody could ever write back what was read. It is read before what it is sent with, and
written in the transaction of the change, so that it never vouches for more than the reader saw.
"""

from abc import abstractmethod
from collections.abc import Callable, Mapping
from functools import wraps
from http import HTTPStatus
from typing import Any, Final

from django.db import transaction
from django.utils.http import parse_etags
from drf_spectacular.utils import OpenApiParameter
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from arbplatform.core.errors import ChangedMeanwhile
from arbplatform.fingerprints import fingerprint

HEADER: Final = "If-Match"
VERSION_HEADER: Final = "ETag"
ANY: Final = "*"

VERSION: Final = OpenApiParameter(
    VERSION_HEADER,
    {"type": "string"},
    OpenApiParameter.HEADER,
    description="Version of what can be set; figures that change by themselves do not count.",
    response=[200],
)
WANTED: Final = OpenApiParameter(
    HEADER,
    {"type": "string"},
    OpenApiParameter.HEADER,
    description=(
        "The `ETag` that you read. If somebody has changed it since, nothing is done, and the "
        "answer is a 412 with code 1025. Without this header what there is is changed."
    ),
)

Handler = Callable[..., Response]


class VersionedView(APIView):
    """A view of something that is read, and changed as it was read."""

    @abstractmethod
    def list_settings(self, *, is_locking: bool, **place: Any) -> Mapping[str, object]:
        """Return what can be set, as it is now.

        Args:
            is_locking: whether nobody else may change it until the transaction ends.
            place: what the address says of which one.
        """


def versioned(handler: Handler) -> Handler:
    """Return a method of a ``VersionedView`` that reads: its answer tells the version."""

    @wraps(handler)
    def read(view: VersionedView, request: Request, **place: Any) -> Response:
        version = _version(view, is_locking=False, **place)
        return tell_version(version, handler(view, request, **place))

    read.version_headers = (VERSION,)  # type: ignore[attr-defined]  # for the document
    return read


def as_read(handler: Handler) -> Handler:
    """Return a method of a ``VersionedView`` that changes: only what is as its client read it.

    A client that does not say what it has read changes what there is.
    """

    @wraps(handler)
    def change(view: VersionedView, request: Request, **place: Any) -> Response:
        with transaction.atomic():
            require_version(request, _version(view, is_locking=True, **place))
            response = handler(view, request, **place)
            if response.status_code != HTTPStatus.NO_CONTENT:
                response = tell_version(_version(view, is_locking=False, **place), response)
        return response

    change.version_headers = (VERSION, WANTED)  # type: ignore[attr-defined]
    return change


def tell_version(version: str, response: Response) -> Response:
    """Return an answer that tells the version, in quotation marks, of what is in it."""
    response[VERSION_HEADER] = version
    return response


def require_version(request: Request, version: str) -> None:
    """Go on if the client has read this version, or does not say what it has read.

    Raises:
        ChangedMeanwhile: it has read another one.
    """
    wanted = request.headers.get(HEADER)
    if wanted is not None and not _matches(wanted, version):
        raise ChangedMeanwhile


def _version(view: VersionedView, *, is_locking: bool, **place: Any) -> str:
    return f'"{fingerprint(view.list_settings(is_locking=is_locking, **place))}"'


def _matches(wanted: str, version: str) -> bool:
    """Return whether one of the versions of a header is this one.

    Also a weak one: a proxy that compresses makes it that, and ours never was one of bytes.
    """
    return wanted.strip() == ANY or version in {
        tag.removeprefix("W/") for tag in parse_etags(wanted)
    }
