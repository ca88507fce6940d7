"""Fingerprints: whether something is still what it was, told to people who must not read it."""

import json
from collections.abc import Mapping

from django.utils.crypto import salted_hmac

LENGTH = 32
"""Characters of a fingerprint: 128 bits."""
_SALT = "arbplatform.fingerprints"


def fingerprint(values: Mapping[str, object]) -> str:
    """Return a short text that is the same as long as the values are.

    Keyed by ``SECRET_KEY``: nobody can find out a value by trying which one has this fingerprint.

    Args:
        values: by name; what JSON cannot hold counts by its text.
    """
    text = json.dumps(values, sort_keys=True, default=str)
    return salted_hmac(_SALT, text, algorithm="sha256").hexdigest()[:LENGTH]
