"""What of alarms and notices is not kept for ever."""

from django.utils.translation import gettext_lazy as _

from arbplatform.notices.models import Alarm, Notice
from arbplatform.retention.kinds import Kind

KINDS = (
    Kind("alarms", _("Alarms that are over"), Alarm, "ended_at"),
    Kind("notices", _("Notices"), Notice, "created_at"),
)
