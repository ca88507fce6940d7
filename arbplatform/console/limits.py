"""Pages of limits: a row for all, rows for some, saved by a service that may refuse."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any, ClassVar

from django.db.models import Model
from django.http import HttpRequest
from django.utils.html import format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display

from arbplatform.console.admin import PlatformAdmin
from arbplatform.console.refusals import find_title
from arbplatform.core.decimals import to_plain


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

    def get_readonly_fields(self, request: HttpRequest, obj: Model | None = None) -> Any:
        """Whose limits they are does not change."""
        return () if obj is None else (self.owner,)

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Refuse: empty the fields instead; the history stays."""
        return False
