"""Books that were opened an hour ago, for what is compared with the venue."""

from tests.ledger.reconciled import bought, look, opened_books, resting

__all__ = ["bought", "look", "opened_books", "resting"]
