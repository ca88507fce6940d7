"""Who came in: tables of other packages that grow with every visit."""

from axes.models import AccessAttempt, AccessLog
from django.contrib.sessions.models import Session
from django.utils.translation import gettext_lazy as _
from knox.models import AuthToken

from arbplatform.retention.kinds import Kind

KINDS = (
    Kind("failed_logins", _("Failed logins"), AccessAttempt, "attempt_time"),
    Kind("logins", _("Login history"), AccessLog, "attempt_time"),
    Kind("sessions", _("Sessions that have expired"), Session, "expire_date"),
    Kind(
        "tokens",
        _("API tokens that have expired"),
        AuthToken,
        "expiry",
        stays=_("tokens that never expire"),
    ),
)
