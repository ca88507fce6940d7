"""What venues answer to subscriptions: that they stand, or why they do not."""

from typing import Any, Final

REFUSAL_LENGTH_MAX: Final = 200
_PLACES: Final = ("msg", "message", "error", "ret_msg", "error_msg")


def number_of(message: Any) -> int | None:
    """Return the number of the request that a message answers, if it names one.

    >>> number_of({"result": None, "id": 7}), number_of([])
    (7, None)
    """
    number = message.get("id") if isinstance(message, dict) else None
    return number if type(number) is int else None


def refusal_of(message: Any) -> str | None:
    """Return why a venue refuses what it was asked for; ``None``: the message is no refusal.

    >>> refusal_of({"error": {"code": 2, "msg": "Invalid request"}, "id": 7})
    'Invalid request'
    >>> refusal_of({"event": "error", "code": "60018", "msg": "No such channel"})
    'No such channel'
    >>> refusal_of({"success": False, "ret_msg": "error:handler not found"})
    'error:handler not found'
    >>> refusal_of({"result": None, "id": 7}), refusal_of({"event": "subscribe", "arg": {}})
    (None, None)
    """
    if not isinstance(message, dict):
        return None
    error = message.get("error")
    is_bare = "code" in message and "msg" in message and "event" not in message
    if not (error or message.get("event") == "error" or message.get("success") is False or is_bare):
        return None
    told = error if isinstance(error, dict) else message
    words = next((str(told[place]) for place in _PLACES if told.get(place)), "no reason given")
    return words[:REFUSAL_LENGTH_MAX]
