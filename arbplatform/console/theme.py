"""Puts the pages that other packages registered into our theme."""

from typing import Any

from django.contrib.admin import AdminSite, ModelAdmin
from django.contrib.admin.options import InlineModelAdmin, StackedInline
from unfold.admin import ModelAdmin as ThemedAdmin
from unfold.admin import StackedInline as ThemedStackedInline
from unfold.admin import TabularInline as ThemedTabularInline

from arbplatform.console.admin import GuardedActions
from arbplatform.console.stale_forms import CarefulForms


def theme_the_rest(site: AdminSite) -> None:
    """Register every page again that is not themed yet, unchanged but for its looks.

    Args:
        site: the console, after all apps have registered their pages.
    """
    for model, page in list(site._registry.items()):  # noqa: SLF001  Django offers no other way
        if isinstance(page, ThemedAdmin):
            continue
        site.unregister(model)
        site.register(model, themed(type(page)))


def themed(page: "type[ModelAdmin[Any]]") -> "type[ModelAdmin[Any]]":
    """Return ``page`` in the theme, with its inlines; who may only look may only look."""
    inlines = [_themed_inline(inline) for inline in page.inlines]
    return type(
        page.__name__, (GuardedActions, CarefulForms, page, ThemedAdmin), {"inlines": inlines}
    )


def _themed_inline(
    inline: "type[InlineModelAdmin[Any, Any]]",
) -> "type[InlineModelAdmin[Any, Any]]":
    if issubclass(inline, ThemedStackedInline | ThemedTabularInline):
        return inline
    base = ThemedStackedInline if issubclass(inline, StackedInline) else ThemedTabularInline
    return type(inline.__name__, (inline, base), {"template": base.template})
