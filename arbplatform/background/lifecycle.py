"""The life of processes that are not Celery's, for those above them who want to take part in it."""

from typing import Final

from django.dispatch import Signal

engine_ready: Final = Signal()
"""An engine process begins."""
engine_ending: Final = Signal()
"""It has ended its work and is about to go."""
