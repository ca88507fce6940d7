"""Kinds of rows that are not kept for ever. What is not named here is never removed."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import Model, Q, QuerySet
from django.utils.functional import Promise


@dataclass(frozen=True, slots=True)
class Kind:
    """Rows of one table, some or all of which may go when they are old.

    Attributes:
        name: its key in the settings and in the table of this app.
        title: for people.
        model: the table.
        moment: the column that tells how old a row is. Rows are looked for in its order, so large
            tables need an index that begins with it.
        rows: which rows of the table are of this kind, where it has the table not for itself.
        stays: what of it is kept all the same, for people; empty if nothing is.
        removable: which of its rows may go. A row that may not go once it is old never may later
            on: a run begins where the last one ended.
    """

    name: str
    title: str | Promise
    model: type[Model]
    moment: str
    rows: Q = field(default_factory=Q)
    stays: str | Promise = ""
    removable: Q = field(default_factory=Q)

    @property
    def days(self) -> int:
        """How long rows are kept [days]; 0 is for ever."""
        days: int = settings.RETENTION_DAYS[self.name]
        return days

    def cutoff(self, now: datetime) -> datetime | None:
        """Return the moment before which rows may go, or None if they are kept for ever."""
        return now - timedelta(days=self.days) if self.days else None

    def list_all(self) -> QuerySet[Model]:
        """Return all rows of the kind."""
        return self.model._base_manager.filter(self.rows)  # noqa: SLF001  Django's name for all

    def list_removable(self, *, since: datetime | None, until: datetime) -> QuerySet[Model]:
        """Return the rows of a span of time that may go, the oldest first.

        Args:
            since: where to begin; None: with the oldest.
            until: only rows before it.
        """
        rows = self.list_all().filter(self.removable, **{f"{self.moment}__lt": until})
        if since is not None:
            rows = rows.filter(**{f"{self.moment}__gte": since})
        return rows.order_by(self.moment, "pk")


_KINDS: dict[str, Kind] = {}


def register(*kinds: Kind) -> None:
    """Let rows of these kinds be removed; each app names its own when it is ready.

    Raises:
        KeyError: the settings do not say how long one of them is kept.
    """
    for kind in kinds:
        settings.RETENTION_DAYS[kind.name]
        _KINDS[kind.name] = kind


def list_kinds() -> list[Kind]:
    """Return all kinds in the order of their names."""
    return [_KINDS[name] for name in sorted(_KINDS)]


def list_sharing(kind: Kind) -> list[Kind]:
    """Return the other kinds whose rows lie in the same table."""
    return [each for each in list_kinds() if each.model is kind.model and each.name != kind.name]


def find_kind(name: str) -> Kind | None:
    """Return the kind of that name; None if there is none (any more)."""
    return _KINDS.get(name)
