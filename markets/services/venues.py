"""Commands on venues."""

from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import urlsplit

from django.core.exceptions import ValidationError
from django.db import DEFAULT_DB_ALIAS, transaction
from django.db.models import ProtectedError, RestrictedError
from django.db.models.deletion import Collector

from arbplatform.background.commit import enqueue_on_commit
from arbplatform.core.errors import InvalidInput, Message
from markets.domain.capabilities import OPERATOR_OPTION
from markets.domain.venue_options import (
    find_credentials,
    has_mask,
    unmask_options,
)
from markets.errors import SecretsInOptions, VenueInUse
from markets.gateway.client import has_spot
from markets.models import Venue
from markets.selectors import lock_venue

OPTIONS_SIZE_MAX = 50
EDITABLE = frozenset({"name", "ccxt_id", "is_enabled", "rest_origin", "ws_origin", "options"})
ORIGINS = ("rest_origin", "ws_origin")
WIRE_FIELDS = frozenset({"ccxt_id", "is_enabled", "rest_origin", "options"})
"""A change of one of these may change the list of markets."""


@transaction.atomic
def create_venue(
    *,
    code: str,
    ccxt_id: str,
    name: str = "",
    is_enabled: bool = True,
    rest_origin: str = "",
    ws_origin: str = "",
    options: Mapping[str, Any] | None = None,
) -> Venue:
    """Add a venue; its markets are synchronised in the background once it is committed.

    Args:
        code: our short name of it.
        ccxt_id: the ccxt class that speaks its protocol.
        name: for people; default: the code.
        is_enabled: whether it may be used.
        rest_origin: replaces scheme, host, port and path prefix of every REST address.
        ws_origin: the same for WebSocket addresses.
        options: extra ccxt options, without credentials.

    Raises:
        UnknownVenueClass: ccxt has no such class.
        SecretsInOptions: the options hold credentials.
        InvalidInput: a field is not valid, or the code is taken.
    """
    venue = Venue(
        code=code,
        name=name or code,
        ccxt_id=ccxt_id,
        is_enabled=is_enabled,
        rest_origin=rest_origin,
        ws_origin=ws_origin,
        options=dict(options or {}),
    )
    _check(venue)
    _check_origins(venue, ORIGINS)
    venue.save(force_insert=True)
    _announce(venue)
    return venue


@transaction.atomic
def update_venue(*, venue_id: int, **changes: Any) -> Venue:
    """Change a venue.

    The code stays: strategies name venues by it.

    Args:
        venue_id: which.
        changes: new values of ``EDITABLE`` fields; ``code`` may be repeated unchanged. What is
            masked in ``options`` or an origin, as they are shown, stays as it is.

    Raises:
        UnknownVenue: there is none with this id.
        UnknownVenueClass: ccxt has no such class.
        SecretsInOptions: the new options hold credentials.
        InvalidInput: a field is not valid, or the code would change.
    """
    venue = lock_venue(venue_id)
    if changes.pop("code", venue.code) != venue.code:
        text = Message("The code cannot be changed: strategies name the venue by it.")
        raise InvalidInput(fields={"code": [text]})
    unknown = sorted(changes.keys() - EDITABLE)
    if unknown:
        raise InvalidInput(fields={name: [Message("There is no such field.")] for name in unknown})
    kept = venue.options
    for name in ("options", *ORIGINS):
        if name in changes:
            changes[name] = unmask_options(changes[name], getattr(venue, name))
    changed = {name for name, value in changes.items() if getattr(venue, name) != value}
    for name in changed:
        setattr(venue, name, changes[name])
    _check(venue, kept)
    _check_origins(venue, sorted(changed.intersection(ORIGINS)))
    if changed:
        venue.save(update_fields=[*sorted(changed), "updated_at"])
    if changed & WIRE_FIELDS:
        _announce(venue)
    return venue


@transaction.atomic
def delete_venue(*, venue_id: int) -> None:
    """Delete a venue with its markets, if nothing depends on them.

    Raises:
        UnknownVenue: there is none with this id.
        VenueInUse: accounts or history depend on it; nothing was deleted.
    """
    venue = lock_venue(venue_id)
    check_unused(venue)
    venue.delete()


def check_unused(venue: Venue) -> None:
    """Refuse a venue that cannot be deleted because something depends on it; delete nothing.

    Raises:
        VenueInUse: accounts or history depend on it.
    """
    try:
        Collector(using=DEFAULT_DB_ALIAS).collect([venue])
    except ProtectedError as error:
        raise VenueInUse(venue=venue.code, users=_names(error.protected_objects)) from None
    except RestrictedError as error:
        raise VenueInUse(venue=venue.code, users=_names(error.restricted_objects)) from None


def check_protocol(*, ccxt_id: str, options: object, kept: object = None) -> None:
    """Refuse what ccxt could not speak, or what belongs elsewhere.

    Args:
        ccxt_id: the ccxt class.
        options: extra ccxt options.
        kept: those of the venue so far; they may stay, whatever they hold.

    Raises:
        UnknownVenueClass: ccxt has no such class.
        SecretsInOptions: the options hold credentials.
        InvalidInput: the class has no spot markets, or the options are none.
    """
    if not has_spot(ccxt_id):
        text = Message("{ccxt_id} has no spot markets.", {"ccxt_id": ccxt_id})
        raise InvalidInput(fields={"ccxt_id": [text]})
    if kept is None or options != kept:
        _check_options(options)


def _announce(venue: Venue) -> None:
    if venue.is_enabled:
        enqueue_on_commit("markets.sync_markets", venue_id=venue.pk)


def _check(venue: Venue, kept: object = None) -> None:
    """Refuse a venue that could not be saved or used.

    Raises:
        UnknownVenueClass: ccxt has no such class.
        InvalidInput: with a message for each field.
    """
    try:
        venue.full_clean(exclude={"name"} if not venue.name else None)
    except ValidationError as error:
        raise InvalidInput(
            fields={
                name: [Message(text) for text in texts]
                for name, texts in error.message_dict.items()
            }
        ) from None
    check_protocol(ccxt_id=venue.ccxt_id, options=venue.options, kept=kept)


def _check_origins(venue: Venue, names: Iterable[str]) -> None:
    """Refuse a login in an address, which everybody sees who sees the venue."""
    text = Message("Leave the login out of the address: whoever sees the venue would read it.")
    wrong = [name for name in names if "@" in urlsplit(getattr(venue, name)).netloc]
    if wrong:
        raise InvalidInput(fields={name: [text] for name in wrong})


def _check_options(options: object) -> None:
    if not isinstance(options, dict) or len(options) > OPTIONS_SIZE_MAX:
        text = Message("Give an object of at most {size} options.", {"size": OPTIONS_SIZE_MAX})
        raise InvalidInput(fields={"options": [text]})
    if not isinstance(options.get(OPERATOR_OPTION, False), bool):
        text = Message("{name} must be true or false.", {"name": OPERATOR_OPTION})
        raise InvalidInput(fields={"options": [text]})
    if credentials := find_credentials(options):
        names = ", ".join(credentials)
        text = Message(SecretsInOptions.summary, {"names": names})
        raise SecretsInOptions(fields={"options": [text]}, names=names)
    if has_mask(options):
        text = Message("Enter the password of the proxy again: what it belongs to has changed.")
        raise InvalidInput(fields={"options": [text]})


def _names(rows: Any) -> str:
    """Return what the rows are, with their numbers: ``2 venue accounts``."""
    counts: dict[str, int] = {}
    for row in rows:
        name = str(row._meta.verbose_name_plural)
        counts[name] = counts.get(name, 0) + 1
    return ", ".join(f"{count} {name}" for name, count in sorted(counts.items()))
