"""The venues and strategies of the strategies' tests, and processes of our own."""

from tests.ledger.conftest import sent_tasks  # noqa: F401  fixtures are found by their names
from tests.processes import redis_server, start_part  # noqa: F401
from tests.strategies.conftest import *  # noqa: F403  as its tests see them
