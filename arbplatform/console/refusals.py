"""What a service refuses goes back into the form: beside its fields, with all that was typed."""

import logging
import secrets
from typing import Any, Final

from django import forms
from django.core.exceptions import FieldDoesNotExist, ValidationError
from django.db.models import Model
from django.http import HttpRequest

from arbplatform.core.errors import ArbError, Bug, ErrorKind, InvalidInput, Message
from arbplatform.wording import render

logger = logging.getLogger(__name__)

TYPED_LENGTH_MAX: Final = 1_000
"""So much of what was typed is kept for the page that says why it was refused."""
_TYPED: Final = "refused_form"


def remember_refusal(request: HttpRequest, refusal: ArbError) -> None:
    """Have the forms of this request say why the service refused."""
    vars(request)["refusal"] = refusal  # read below only


def is_refused(request: HttpRequest) -> bool:
    """Return whether a service refused in this request."""
    return hasattr(request, "refusal")


def with_refusal(form_class: Any, request: HttpRequest) -> Any:
    """Return the form class, which says why the service refused if it did in this request."""
    if not is_refused(request):
        return form_class
    refusal: ArbError = vars(request)["refusal"]

    class RefusedForm(form_class):
        """A form that is not valid, whatever is in it."""

        def clean(self) -> Any:
            """Say why the service refused."""
            cleaned = super().clean()
            complain(self, refusal, form_class.__name__)
            return cleaned

    return RefusedForm


def keep_typed(request: HttpRequest, *, form: str, reason: str) -> None:
    """Keep what was typed until the page is shown again that the form is part of.

    For forms whose refusal leads back to the page that they were on, whichever that is.

    Args:
        request: whose session keeps it.
        form: which of the forms on that page.
        reason: what was typed.
    """
    request.session[_TYPED] = {"form": form, "reason": reason[:TYPED_LENGTH_MAX]}


def take_typed(request: HttpRequest) -> dict[str, str]:
    """Return what was typed into which form that was refused, once; empty if none was."""
    typed: dict[str, str] = request.session.pop(_TYPED, {})
    return typed


def complain(form: forms.BaseForm, refusal: Exception, subject: str) -> None:
    """Say in a form why a service refused: beside the fields that it names, else on top.

    Args:
        form: its attribute ``names``, if it has one, says what it calls arguments of the service.
        refusal: what the service raised.
        subject: what it was about, for the log.
    """
    code = str(refusal.code) if isinstance(refusal, ArbError) else ""
    details = refusal.fields if isinstance(refusal, InvalidInput) else {}
    if not details or str(refusal) != InvalidInput.summary:  # which only says: look below
        form.add_error(None, ValidationError(explain(refusal, subject), code=code))
    names = getattr(form, "names", {})
    for argument, complaints in details.items():
        name = names.get(argument, argument)
        is_shown = name in form.fields
        head = "" if is_shown else f"{find_title(_model_of(form), name)}: "
        for text in complaints:
            error = ValidationError(f"{head}{render(text)}", code=code)
            form.add_error(name if is_shown else None, error)


def find_title(model: type[Model] | None, name: str) -> str:
    """Return what a field is called, for people; its name if the model has no such field."""
    try:
        return str(model._meta.get_field(name).verbose_name) if model else name  # type: ignore[union-attr]
    except FieldDoesNotExist:
        return name


def explain(error: Exception, name: str) -> str:
    """Return what an error says to a person, with its code; of a bug the id in the log.

    Args:
        error: what was raised.
        name: what it happened to.
    """
    if isinstance(error, ArbError) and error.kind is not ErrorKind.BUG:
        return render(Message("{said} (error {code})", {"said": error.message, "code": error.code}))
    error_id = secrets.token_hex(6)
    logger.error("Unforeseen error %s in an action on %s", error_id, name, exc_info=error)
    return render(Bug(error_id=error_id).message)


def explain_in_one(error: ArbError, name: str) -> str:
    """Return all that an error says, where no form of Django's shows what it says of its fields.

    Args:
        error: what was raised.
        name: what it happened to.
    """
    details = error.fields.values() if isinstance(error, InvalidInput) else ()
    return " ".join([explain(error, name), *(render(text) for group in details for text in group)])


def _model_of(form: forms.BaseForm) -> type[Model] | None:
    return form._meta.model if isinstance(form, forms.BaseModelForm) else None
