"""A worker that outlives the end of its broker."""

import logging

from celery.worker.consumer import Consumer

logger = logging.getLogger(__name__)


class LastingConsumer(Consumer):
    """Connects again after every lost connection, whatever kombu comes upon while it lets go of it.

    kombu closes a lost connection twice. When the first time breaks off in the middle, and Redis
    had died between a message and its acknowledgement, the second one wants to give that back over
    a transport which the first one has taken away: an AttributeError, which ends the worker. The
    connection is forgotten by then; the message is as lost as Redis itself, and what it asked for
    is found by the sweeps.
    """

    def on_connection_error_after_connected(self, exc: Exception) -> None:
        """Let go of a lost connection."""
        try:
            super().on_connection_error_after_connected(exc)
        except AttributeError as error:
            logger.warning("A lost connection could not be closed in order: %s", error)
