"""Pages of other packages' models that need more than a coat of paint."""

from typing import Any

from django.conf import settings
from django.contrib import admin, messages
from django.contrib.auth.admin import GroupAdmin as DjangoGroupAdmin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.models import Group, User
from django.db.models import ForeignKey
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from django_celery_beat.admin import PeriodicTaskAdmin as BeatPeriodicTaskAdmin
from django_celery_beat.admin import PeriodicTaskForm as BeatPeriodicTaskForm
from django_celery_beat.admin import TaskSelectWidget
from django_celery_beat.models import CrontabSchedule, PeriodicTask
from knox.admin import AuthTokenAdmin as KnoxTokenAdmin
from knox.models import AuthToken
from unfold.admin import ModelAdmin
from unfold.decorators import display
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from arbplatform.console.admin import GuardedActions
from arbplatform.console.foreign_names import CLEANUP, say_schedule
from arbplatform.console.stale_forms import CarefulForms
from arbplatform.core.errors import Message
from arbplatform.wording import render
from strategies.services.schedules import TICK_TASK

for model in (User, Group, PeriodicTask, CrontabSchedule, AuthToken):
    admin.site.unregister(model)


@admin.register(User)
class UserAdmin(CarefulForms, DjangoUserAdmin, ModelAdmin):  # type: ignore[type-arg]  # not at run time
    """People who may log in."""

    form = UserChangeForm
    add_form = UserCreationForm
    change_password_form = AdminPasswordChangeForm
    list_display = ("username", "email", "is_staff", "is_superuser", "is_active", "last_login")

    def get_readonly_fields(self, request: HttpRequest, obj: User | None = None) -> Any:
        """Let nobody give rights that they do not have: superusers alone give any."""
        rights = ("is_staff", "is_superuser", "groups", "user_permissions")
        return () if _is_superuser(request) else rights

    def has_change_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        """Refuse to let staff set each other's passwords: one could then be two people."""
        return super().has_change_permission(request, obj) and _may_touch(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        """Refuse to let staff remove each other."""
        return super().has_delete_permission(request, obj) and _may_touch(request, obj)


@admin.register(Group)
class GroupAdmin(CarefulForms, DjangoGroupAdmin, ModelAdmin):
    """Sets of permissions that people share; superusers alone say what is in them."""

    def get_readonly_fields(self, request: HttpRequest, obj: Group | None = None) -> Any:
        """Let nobody give rights that they do not have."""
        return () if _is_superuser(request) else ("permissions",)


class _ThemedTaskSelect(UnfoldAdminSelectWidget, TaskSelectWidget):
    """Beat's list of known tasks in the theme's select box."""


class PeriodicTaskForm(BeatPeriodicTaskForm):
    """Beat's form with the theme's two widgets."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["regtask"].widget = _ThemedTaskSelect()
        self.fields["task"].widget = UnfoldAdminTextInputWidget()


@admin.register(PeriodicTask)
class PeriodicTaskAdmin(GuardedActions, CarefulForms, BeatPeriodicTaskAdmin, ModelAdmin):
    """What runs by the clock. A strategy's task is switched by starting and stopping it."""

    form = PeriodicTaskForm
    change_form_template = None  # beat's own brings an inline script, which the policy refuses
    date_hierarchy = None
    list_display = ("show_name", "enabled", "interval", "crontab", "last_run_at", "total_run_count")
    list_filter = ("enabled", "one_off", "task")
    readonly_fields = ("show_name", "last_run_at", "total_run_count")
    fieldsets = (
        (None, {"fields": ("name", "regtask", "task", "enabled", "description")}),
        (
            _("Schedule"),
            {
                "fields": (
                    "interval",
                    "crontab",
                    "solar",
                    "clocked",
                    "start_time",
                    "last_run_at",
                    "total_run_count",
                    "one_off",
                )
            },
        ),
        (_("Arguments"), {"fields": ("args", "kwargs")}),
        (_("Execution Options"), {"fields": ("expires", "expire_seconds", "queue", "priority")}),
    )

    def get_fieldsets(self, request: HttpRequest, obj: PeriodicTask | None = None) -> Any:
        """Let no name be typed over by which code finds a task: it would be made a second time."""
        if obj is None or not _is_ours(obj):
            return self.fieldsets
        (title, basic), *others = self.fieldsets
        return ((title, {"fields": ("show_name", *basic["fields"][1:])}), *others)

    def has_delete_permission(self, request: HttpRequest, obj: PeriodicTask | None = None) -> bool:
        """Refuse for what the platform lives on, also where it would go with its interval.

        Only the next start would make it again: until then nobody would look up an order, compare
        an account or take a snapshot. Switching it off leaves a row that can be seen.
        """
        return super().has_delete_permission(request, obj) and (obj is None or not _is_ours(obj))

    @display(description=_("name"), ordering="name")
    def show_name(self, task: PeriodicTask) -> str:
        """Show the name in the reader's language."""
        return say_schedule(task)


@admin.register(CrontabSchedule)
class CrontabScheduleAdmin(CarefulForms, ModelAdmin):
    """Times of day and week. Beat's own page adds an explanation that exists in English only."""

    list_display = ("minute", "hour", "day_of_month", "month_of_year", "day_of_week", "timezone")
    fields = list_display


@admin.register(AuthToken)
class AuthTokenAdmin(KnoxTokenAdmin, ModelAdmin):
    """Tokens of programs; only their hashes are stored."""

    list_display = ("token_key", "user", "created", "expiry")
    list_filter = ("user",)

    def formfield_for_foreignkey(
        self, db_field: "ForeignKey[Any, Any]", request: HttpRequest, **kwargs: Any
    ) -> Any:
        """Let superusers make tokens for anybody, and others for themselves: a token is a login."""
        if db_field.name == "user" and not _is_superuser(request):
            kwargs["queryset"] = User.objects.filter(username=request.user.get_username())
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    def save_model(self, request: HttpRequest, obj: AuthToken, form: Any, change: bool) -> None:
        """Save a new token and show it this once."""
        if not change:
            text = Message(
                "The token is {token}. Copy it now: it is not stored and not shown again.",
                {"token": form.token},
            )
            messages.warning(request, render(text))
        obj.save()

    def has_change_permission(self, request: HttpRequest, obj: AuthToken | None = None) -> bool:
        """Refuse: a token is made or deleted, not changed."""
        return False


def _is_ours(task: PeriodicTask) -> bool:
    """Return whether the platform or Celery made a task, and looks it up by its name."""
    return task.name in settings.CELERY_BEAT_SCHEDULE or task.task in {TICK_TASK, CLEANUP}


def _is_superuser(request: HttpRequest) -> bool:
    """Return whether the person may do everything anyway."""
    return bool(getattr(request.user, "is_superuser", False))


def _may_touch(request: HttpRequest, person: User | None) -> bool:
    """Return whether the person may change another one: superusers alone change other staff."""
    if person is None or person.pk == request.user.pk or _is_superuser(request):
        return True
    return not (person.is_staff or person.is_superuser)
