"""Small tables on the pages of single rows."""

from collections.abc import Sequence
from typing import Any

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.text import capfirst


def table(heads: Sequence[Any], rows: Sequence[Sequence[Any]]) -> SafeString:
    """Return a small plain table."""
    cell = '<td class="pr-6 py-1">{}</td>'
    lines = [format_html_join("", cell, ((value,) for value in row)) for row in rows]
    head = '<th class="font-semibold pr-6 py-1 text-left whitespace-nowrap">{}</th>'
    return format_html(
        '<div class="arb-scroll"><table><tr>{}</tr>{}</table></div>',
        format_html_join("", head, ((capfirst(text),) for text in heads)),
        format_html_join("", "<tr>{}</tr>", ((line,) for line in lines)),
    )
