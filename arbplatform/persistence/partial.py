"""Queries that partial indexes serve on every database."""

from collections.abc import Sequence

from django.db.models import BooleanField, F, Func


def is_among(column: str, words: Sequence[str]) -> Func:
    """Return the condition that a column is one of some words, written out as the index has it.

    SQLite takes a partial index only for a query that states the index's own condition, with the
    words in the same order. It does not look at what Django hands over beside the text, as for
    ``__in``: such a query reads all rows that there ever were.

    Args:
        column: name of the field.
        words: names of states in the order of the index, never what a person entered.

    Raises:
        ValueError: one of them is no plain name.
    """
    for word in words:
        if not (word.isascii() and word.isidentifier()):
            raise ValueError(word)
    listed = ", ".join(f"'{word}'" for word in words)
    return Func(F(column), template=f"%(expressions)s IN ({listed})", output_field=BooleanField())
