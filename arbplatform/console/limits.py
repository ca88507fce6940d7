"""Pages of limits: a row for all, rows for some, saved by a service that may refuse."""

from abc import abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, ClassVar, Protocol

from django import forms
from django.db.models import Model
from django.http import HttpRequest
from django.utils.html import format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display

from arbplatform.authors import say_author
from arbplatform.console.admin import PlatformAdmin
from arbplatform.console.refusals import find_title
from arbplatform.console.stale_forms import Save
from arbplatform.core.decimals import to_plain
from arbplatform.core.errors import Conflict


class Change(Protocol):
    """One line of the history of limits."""

    before: Mapping[str, Any]
    after: Mapping[str, Any]
    changed_by: str
    changed_at: datetime


class LimitsAdmin(PlatformAdmin):
    """Rows of limits; an empty field is no limit of its own.

    Attributes:
        limit_names: the columns that hold limits.
        owner: the column that says whose they are.
    """

    limit_names: ClassVar[Sequence[str]] = ()
    owner: ClassVar[str] = ""

    @display(description=_("limits"))
    def show_limits(self, row: Model) -> SafeString | str:
        """Show the limits that are set."""
        values = ((find_title(self.model, name), getattr(row, name)) for name in self.limit_names)
        lines = ((title, to_plain(Decimal(value))) for title, value in values if value is not None)
        return format_html_join("; ", "{}: {}", lines) or "–"

    @abstractmethod
    def store(self, request: HttpRequest, row: Any, form: "forms.ModelForm[Any]") -> None:
        """Save limits through their service, which may refuse."""

    @abstractmethod
    def list_history(self, row: Any) -> Iterable[Change]:
        """Return the changes of a row's limits, the newest first."""

    def save_model(
        self, request: HttpRequest, obj: Any, form: "forms.ModelForm[Any]", change: bool
    ) -> None:
        """Save, but let nobody who adds limits replace those that are there for all.

        The database knows of those that belong to somebody; of an empty column it takes many.
        """
        is_new_for_all = not change and getattr(obj, self.owner) is None
        if is_new_for_all and self.get_queryset(request).filter(**{self.owner: None}).exists():
            raise Conflict("There are limits for all already. Open those and change them.")
        self.store(request, obj, form)

    def list_saves(self, row: Model, since: datetime) -> Iterator[Save]:
        """Return who changed the limits since then, also over the API."""
        for change in self.list_history(row):
            if change.changed_at < since:
                return
            what = (
                (find_title(self.model, name), change.after[name])
                for name in change.after
                if change.after[name] != change.before.get(name)
            )
            told = "; ".join(f"{title}: {'–' if value is None else value}" for title, value in what)
            yield Save(say_author(change.changed_by), change.changed_at, told)

    def get_readonly_fields(self, request: HttpRequest, obj: Model | None = None) -> Any:
        """Whose limits they are does not change."""
        return () if obj is None else (self.owner,)

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Refuse: empty the fields instead; the history stays."""
        return False
