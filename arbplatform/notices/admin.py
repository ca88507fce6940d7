"""Pages of alarms, notices and channels."""

from collections.abc import Mapping
from typing import Any, ClassVar

from django import forms
from django.contrib import admin
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.safestring import SafeString
from django.utils.text import capfirst
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display

from arbplatform.console.admin import PlatformAdmin, ReadOnlyAdmin, coloured, command_button
from arbplatform.console.fields import SecretField, SecretsForm
from arbplatform.core.errors import InvalidInput, Message
from arbplatform.notices import channels
from arbplatform.notices.channels import ADDRESS_LENGTH_MAX, check_address
from arbplatform.notices.models import Alarm, Notice, NoticeChannel, NoticeState
from arbplatform.notices.robots import ROBOTS, WEBHOOK
from arbplatform.notices.rules import Severity
from arbplatform.notices.selectors import list_alarms, list_channels, list_notices
from arbplatform.wording import render

SEVERITY_COLOURS = {Severity.NOTE: "info", Severity.WARNING: "warning", Severity.CRITICAL: "danger"}
STATE_COLOURS = {
    NoticeState.WAITING: "warning",
    NoticeState.SENT: "success",
    NoticeState.WITHDRAWN: "info",
}
TITLES = {robot.name: robot.title for robot in (*ROBOTS, WEBHOOK)}
SETTINGS = (
    "name",
    "language",
    "severity_min",
    "quiet_from",
    "quiet_until",
    "heartbeat_at",
    "is_fallback",
    "is_enabled",
)


@admin.register(Alarm)
class AlarmAdmin(ReadOnlyAdmin):
    """What needs a person, and what did."""

    list_display = ("raised_at", "show_severity", "show_message", "told_at", "ended_at")
    empty_hint = _("What needs a person stands here, from when it was seen until it is over.")
    list_filter = ("severity", "is_incident", ("ended_at", admin.EmptyFieldListFilter))
    search_fields = ("key",)
    fields = (
        "key",
        "show_severity",
        "show_message",
        "is_incident",
        "raised_at",
        "last_seen_at",
        "told_at",
        "ended_at",
    )
    readonly_fields = fields

    def get_queryset(self, request: HttpRequest) -> QuerySet[Alarm]:
        """Return all alarms."""
        return list_alarms()

    @display(description=_("severity"), ordering="severity")
    def show_severity(self, row: Alarm) -> SafeString:
        """Show how much it needs a person."""
        return coloured(row.get_severity_display(), SEVERITY_COLOURS[Severity(row.severity)])

    @display(description=_("message"))
    def show_message(self, row: Alarm) -> str:
        """Show what is wrong in the reader's language."""
        return render(row.to_message())


@admin.register(Notice)
class NoticeAdmin(ReadOnlyAdmin):
    """What was told over which channel, and what waits."""

    list_display = ("created_at", "channel", "kind", "show_message", "show_state", "sent_at")
    empty_hint = _("Add a channel: what is told over it stands here.")
    list_filter = ("state", "kind", "channel__name")
    fields = (
        "channel",
        "stands_in_for",
        "kind",
        "show_message",
        "show_state",
        "created_at",
        "due_at",
        "sent_at",
    )
    readonly_fields = fields

    def get_queryset(self, request: HttpRequest) -> QuerySet[Notice]:
        """Return all notices with their channels."""
        return list_notices()

    @display(description=_("message"))
    def show_message(self, row: Notice) -> str:
        """Show what is told in the reader's language."""
        return render(row.to_message())

    @display(description=_("state"), ordering="state")
    def show_state(self, row: Notice) -> SafeString:
        """Show whether it was sent."""
        return coloured(row.get_state_display(), STATE_COLOURS[NoticeState(row.state)])


class ChannelForm(SecretsForm):
    """A channel. The stored address is no field of it, so that it cannot get into the page."""

    names: ClassVar[Mapping[str, str]] = {"address": "new_address"}

    new_address = SecretField(
        label=capfirst(_("address")),
        required=False,
        max_length=ADDRESS_LENGTH_MAX,
        help_text=_(
            "The webhook of a robot of DingTalk, Feishu, WeCom, Telegram, Slack or Discord, or any "
            "other address that takes JSON. Stored encrypted and never shown again."
        ),
    )

    class Meta:
        model = NoticeChannel
        fields = SETTINGS

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["new_address"].required = self.instance.pk is None

    def clean_new_address(self) -> str:
        """Return an address to which notices can be sent."""
        address: str = self.cleaned_data["new_address"]
        try:
            return check_address(address) if address else ""
        except InvalidInput as refusal:
            texts = [render(text) for text in refusal.fields["address"]]
            raise forms.ValidationError(texts) from None


@admin.register(NoticeChannel)
class NoticeChannelAdmin(PlatformAdmin):
    """Ways to people. An address can be typed in and is never shown."""

    form = ChannelForm
    list_display = (
        "name",
        "show_service",
        "severity_min",
        "show_fallback",
        "is_enabled",
        "show_health",
        "succeeded_at",
        "failed_at",
    )
    empty_hint = _("Add the webhook of a chat robot: it is told what needs you, day and night.")
    list_filter = ("is_enabled", "is_fallback")
    search_fields = ("name",)
    readonly_fields = (
        "show_service",
        "show_health",
        "succeeded_at",
        "failed_at",
        "failure_count",
        "next_try_at",
        "show_error",
    )
    actions_row = ("test_one",)
    actions_detail = ("test_one",)
    add_fieldsets = ((None, {"fields": ("name", "new_address", *SETTINGS[1:])}),)
    change_fieldsets = (
        (None, {"fields": ("name", "new_address", *SETTINGS[1:])}),
        (_("Delivery"), {"fields": readonly_fields}),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[NoticeChannel]:
        """Return all channels; their addresses are not even read."""
        return list_channels()

    def get_fieldsets(self, request: HttpRequest, obj: NoticeChannel | None = None) -> Any:
        """Show what was delivered only of a channel that is there."""
        return self.add_fieldsets if obj is None else self.change_fieldsets

    def get_actions(self, request: HttpRequest) -> Any:
        """Leave out bulk deletion: a service removes each one."""
        actions = super().get_actions(request)
        actions.pop("delete_selected", None)
        return actions

    @display(description=_("service"), ordering="service")
    def show_service(self, channel: NoticeChannel) -> str:
        """Show whose robot it is."""
        return TITLES.get(channel.service, channel.service)

    @display(description=_("stands in"), ordering="is_fallback")
    def show_fallback(self, channel: NoticeChannel) -> str:
        """Show that it stands in for others; that it does not is no fault."""
        return coloured(gettext("stands in"), "info") if channel.is_fallback else "–"

    @display(description=_("delivery"))
    def show_health(self, channel: NoticeChannel) -> SafeString:
        """Show how the last attempt ended."""
        if channel.failure_count:
            return coloured(gettext("failed"), "danger")
        if channel.succeeded_at is None:
            return coloured(gettext("nothing sent yet"), "info")
        return coloured(gettext("works"), "success")

    @display(description=_("error"))
    def show_error(self, channel: NoticeChannel) -> str:
        """Show in the reader's language why the last attempt failed."""
        return render(channel.to_error())

    def is_offered(self, action: str, row: NoticeChannel) -> bool:
        """Offer no test of a channel that is switched off."""
        return row.is_enabled or action != "test_one"

    @command_button(
        description=_("Send a test notice"),
        question=_("A notice is sent by a worker at once. This page shows what became of it."),
        icon="send",
    )
    def test_one(self, request: HttpRequest, form: object, object_id: str) -> HttpResponse:
        """Have a test notice sent."""

        def command(channel: NoticeChannel) -> Message:
            self.log_change(request, channel, "Asked for a test notice.")
            channels.test_channel(channel_id=channel.pk)
            return Message("The test is on its way: reload this page in some seconds.")

        return self.apply_to_one(request, object_id, command)

    def save_model(self, request: HttpRequest, obj: Model, form: ChannelForm, change: bool) -> None:
        """Add or change the channel through its service."""
        values: Any = {name: form.cleaned_data[name] for name in SETTINGS}
        address = form.cleaned_data["new_address"]
        if change:
            channels.update_channel(channel_id=obj.pk, address=address, **values)
            return
        obj.pk = channels.create_channel(address=address, **values).pk

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """Name the channel alone: its notices go with it, and nobody needs a right to each."""
        return [str(channel) for channel in objs], {}, set(), []

    def delete_model(self, request: HttpRequest, obj: NoticeChannel) -> None:
        """Remove the channel through its service."""
        channels.delete_channel(channel_id=obj.pk)
