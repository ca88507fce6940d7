"""A form saves nothing over what somebody else has changed since its page was opened.

With each form travel fingerprints of its fields as they were loaded. When it comes back, the row
is locked and its fields are fingerprinted anew: what differs, and is not what was typed, is shown
beside what was typed, and the person decides.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from django import forms
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.admin.utils import unquote
from django.core.exceptions import ValidationError
from django.db import router, transaction
from django.db.models import Model
from django.http import HttpRequest
from django.utils.formats import date_format
from django.utils.timezone import localtime
from django.utils.translation import gettext

from arbplatform.authors import keep_author, say_author
from arbplatform.console.fields import SecretField
from arbplatform.console.refusals import explain
from arbplatform.core.clock import SYSTEM_CLOCK
from arbplatform.core.decimals import to_plain
from arbplatform.core.errors import ChangedMeanwhile, Message
from arbplatform.fingerprints import fingerprint
from arbplatform.wording import render

SEEN: Final = "fields_as_seen"
"""Name of the hidden field."""
SAVES_SHOWN_MAX: Final = 5

_Form: Any = forms.ModelForm if TYPE_CHECKING else object
"""Mixed in: whose form it is decides what it inherits."""
ListSaves = Callable[[Model, datetime], "Iterable[Save]"]


@dataclass(frozen=True, slots=True)
class Save:
    """That somebody saved a row.

    Attributes:
        author: who, as ``authors.say_author`` tells it.
        saved_at: when.
        what: which fields, in the reader's language.
    """

    author: str
    saved_at: datetime
    what: str


class CarefulForms:
    """Lets no form of a page undo what somebody else has saved in between."""

    change_form_before_template = "console/fields_as_seen.html"

    def get_form(
        self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any
    ) -> Any:
        """Return the form, which remembers what it has shown."""
        form_class = super().get_form(request, obj, change=change, **kwargs)  # type: ignore[misc]  # of the page beside it
        return form_class if obj is None else remembering(form_class, self.list_saves)

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> Any:
        """Keep the row as it is from when the form is compared until it is saved."""
        with self._kept(request, object_id):
            return super().changeform_view(request, object_id, form_url, extra_context)  # type: ignore[misc]

    def list_saves(self, row: Model, since: datetime) -> Iterable[Save]:
        """Return who saved a row since then, the newest first: those whom the console knows."""
        options = row._meta
        entries = LogEntry.objects.filter(
            content_type__app_label=options.app_label,
            content_type__model=options.model_name,
            object_id=str(row.pk),
            action_flag=CHANGE,
            action_time__gte=since,
        ).select_related("user")
        for entry in entries.order_by("-action_time")[:SAVES_SHOWN_MAX]:
            author = say_author(keep_author(entry.user))
            yield Save(author, entry.action_time, render(entry.get_change_message()))

    @contextmanager
    def _kept(self, request: HttpRequest, object_id: str | None) -> Iterator[None]:
        if request.method != "POST" or object_id is None:
            yield
            return
        row = self.get_object(request, unquote(object_id))  # type: ignore[attr-defined]
        rows = self.model.objects  # type: ignore[attr-defined]
        with transaction.atomic(using=router.db_for_write(self.model)):  # type: ignore[attr-defined]
            if row is not None:
                # without its key: orders that refer to it can be written meanwhile
                rows = rows.select_for_update(of=("self",), no_key=True)
                rows.filter(pk=row.pk).values("pk").first()
            yield


class _SeenField(forms.CharField):
    """Fingerprints of the other fields; never something that was changed."""

    widget = forms.HiddenInput

    def has_changed(self, initial: object, data: object) -> bool:
        """Return that nobody has typed anything here."""
        return False


class RememberingForm(_Form):
    """Mixed into the form of a row that is there: it knows what it has shown.

    An attribute ``watched`` of the form names, for a field that is never shown, the attribute of
    the row that tells whether it was changed.
    """

    list_saves: ListSaves
    data: Any

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.present = dict(_read_fields(self))
        if self.present:  # nothing can be typed in on a page that is only looked at
            token = _write(self.instance, self.present)
            self.fields[SEEN] = _SeenField(required=False, initial=token)

    def clean(self) -> Any:
        """Compare what was shown with what there is."""
        cleaned = super().clean()
        sent = self.data.get(self.add_prefix(SEEN))
        if sent:
            self._compare(sent)
        return cleaned

    def _compare(self, sent: str) -> None:
        shown_at, shown = _read(sent)
        now = _fingerprints(self.instance, self.present)
        changed = [name for name in now if shown.get(name) != now[name]]
        disputed = [name for name in changed if name in self.changed_data]
        if not disputed and shown.keys() == now.keys():
            return  # nothing is different, or both people typed the same
        code = str(ChangedMeanwhile.code)
        for text in _tell(self.instance, list(self.list_saves(self.instance, shown_at))):
            self.add_error(None, ValidationError(text, code=code))
        for name in disputed:
            value = _present(self, name, self.present[name])
            text = render(Message("Meanwhile it is: {value}", {"value": value}))
            self.add_error(name, ValidationError(text, code=code))
        # who saves the page that says so has seen it
        self.data = self.data.copy()
        self.data[self.add_prefix(SEEN)] = _write(self.instance, self.present)


def remembering(form_class: Any, list_saves: ListSaves) -> Any:
    """Return a class of forms that save nothing over what was changed since they were shown.

    Args:
        form_class: of a row that is there.
        list_saves: who saved the row since when, the newest first.
    """
    attributes = {"list_saves": staticmethod(list_saves), "__doc__": form_class.__doc__}
    return type(form_class.__name__, (RememberingForm, form_class), attributes)


def _read_fields(form: Any) -> Iterator[tuple[str, object]]:
    """Return what a form shows of its row, by field; of what it never shows what is watched."""
    watched: Mapping[str, str] = getattr(form, "watched", {})
    for name, field in form.fields.items():
        if name in watched:
            yield name, getattr(form.instance, watched[name])
        elif not isinstance(field, SecretField) and not field.disabled:
            value = form.get_initial_for_field(field, name)
            if isinstance(field, forms.ModelMultipleChoiceField):
                value = sorted(one.pk if isinstance(one, Model) else one for one in value or ())
            yield name, value


def _fingerprints(row: Model, values: Mapping[str, object]) -> dict[str, str]:
    place = f"{row._meta.label}:{row.pk}"
    return {name: fingerprint({f"{place}.{name}": value}) for name, value in values.items()}


def _write(row: Model, values: Mapping[str, object]) -> str:
    at = SYSTEM_CLOCK.now().isoformat()
    return json.dumps({"at": at, "fields": _fingerprints(row, values)})


def _read(sent: str) -> tuple[datetime, dict[str, str]]:
    """Return when a form was shown and its fingerprints; of what we did not write: never, none."""
    try:
        found = json.loads(sent)
        return datetime.fromisoformat(found["at"]).astimezone(UTC), dict(found["fields"])
    except (ValueError, TypeError, LookupError, OverflowError, RecursionError):
        return SYSTEM_CLOCK.now(), {}


def _tell(row: Model, saves: list[Save]) -> Iterator[str]:
    stale = ChangedMeanwhile(
        "This was changed after you opened the page, so nothing was saved. What it is now stands "
        "beside what you typed. Correct that, or save again to put yours in its place."
    )
    yield explain(stale, str(row))
    for save in saves[:SAVES_SHOWN_MAX]:
        context = {"author": save.author, "time": _say_time(save.saved_at), "what": save.what}
        yield render(Message("{author} at {time}: {what}", context))
    updated_at: datetime | None = getattr(row, "updated_at", None)
    if not saves and updated_at is not None:
        yield render(
            Message(
                "That was done over the API or by the platform itself, at {time} at the latest.",
                {"time": _say_time(updated_at)},
            )
        )


def _say_time(moment: datetime) -> str:
    return date_format(localtime(moment), "DATETIME_FORMAT")


def _present(form: Any, name: str, value: Any) -> str:
    """Return a value as the form would show it."""
    field = form.fields[name]
    if isinstance(value, bool):
        return gettext("yes") if value else gettext("no")
    if hasattr(field, "choices"):
        labels = {str(key): str(label) for key, label in field.choices}
        chosen = value if isinstance(value, list) else [value]
        return ", ".join(labels.get(str(one), str(one)) for one in chosen if one is not None) or "–"
    if isinstance(value, Decimal):
        return to_plain(value)
    if isinstance(value, datetime):
        return _say_time(value)
    shown = field.prepare_value(value)
    return str(shown) if shown not in (None, "") else "–"
