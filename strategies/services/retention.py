"""What of the strategies' tables is not kept for ever."""

from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from arbplatform.retention.kinds import Kind
from strategies.models import EngineProcess, Opportunity

KINDS = (
    Kind(
        "opportunities",
        _("Opportunities"),
        Opportunity,
        "detected_at",
        stays=_("those that were carried out, with what was decided on"),
        removable=Q(execution=None),
    ),
    Kind("engines", _("Engines"), EngineProcess, "heartbeat_at"),
)
