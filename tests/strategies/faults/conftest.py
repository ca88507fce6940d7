"""Servers and processes that a test may stop and start."""

from tests.processes import redis_server, start_part
from tests.restartable import spool_dir

__all__ = ["redis_server", "spool_dir", "start_part"]
