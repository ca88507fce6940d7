"""A Redis server of our own."""

from tests.processes import redis_server

__all__ = ["redis_server"]
