"""A database server that a test may stop and start."""

from tests.restartable import migrated_server, own_database, spool_dir

__all__ = ["migrated_server", "own_database", "spool_dir"]
