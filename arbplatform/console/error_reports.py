"""What the error pages of DEBUG show: nothing that a log would not."""

import re
from collections.abc import ItemsView
from types import FrameType
from typing import Any, Final

from django.http import HttpRequest
from django.utils.safestring import SafeString
from django.views.debug import ExceptionReporter, SafeExceptionReporterFilter

from arbplatform.core.masking import redact

TELLING: Final = "API|AUTH|TOKEN|KEY|SECRET|PASS|SIGNATURE|COOKIE|ADDRESS|CREDENTIAL"
"""Parts of names whose values nobody is to read."""


class MaskingFilter(SafeExceptionReporterFilter):
    """Masks settings, variables and what was typed, by their names; Django shows it to DEBUG."""

    hidden_settings = re.compile(TELLING, re.IGNORECASE)

    def get_post_parameters(self, request: HttpRequest | None) -> dict[str, Any]:
        """Return what was sent by a form, without what was typed in as a secret."""
        sent = super().get_post_parameters(request)
        return {name: self.cleanse_setting(name, value) for name, value in sent.items()}

    def get_traceback_frame_variables(
        self, request: HttpRequest | None, tb_frame: FrameType
    ) -> ItemsView[str, Any]:
        """Return the local variables of a frame, likewise."""
        shown = super().get_traceback_frame_variables(request, tb_frame)
        return {name: self.cleanse_setting(name, value) for name, value in shown}.items()


class MaskingReporter(ExceptionReporter):
    """Masks whatever else in the finished page is a secret."""

    def get_traceback_html(self) -> SafeString:
        """Return the page for a browser."""
        return SafeString(redact(super().get_traceback_html()))

    def get_traceback_text(self) -> SafeString:
        """Return the page for a client that takes no HTML."""
        return SafeString(redact(super().get_traceback_text()))
