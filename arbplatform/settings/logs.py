"""Settings of logging: readable lines, or JSON for collectors; secrets are masked in both."""

from typing import Any

from arbplatform.settings.env import env

LOG_FORMAT = env.str("LOG_FORMAT", default="line")

LOGGING: dict[str, Any] = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "line": {
            "()": "arbplatform.logs.LineFormatter",
            "format": "{asctime} {levelname} {name} {ids}{message}",
            "style": "{",
        },
        "json": {"()": "arbplatform.logs.JsonFormatter"},
    },
    "filters": {"refusals": {"()": "arbplatform.logs.RefusalFilter"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": LOG_FORMAT}},
    "root": {"handlers": ["console"], "level": env.str("LOG_LEVEL", default="INFO")},
    "loggers": {
        # Django's own handlers would print the same records a second time, unredacted
        "django": {"handlers": [], "propagate": True},
        "django.request": {"filters": ["refusals"]},
        "django.server": {"handlers": [], "propagate": True},
        "axes": {"level": "WARNING"},
        # One line per message sent, received and done would bury what matters: ticks come by the
        # second. Failures are warnings and errors, and stay.
        "celery.beat": {"level": "WARNING"},
        "celery.worker.strategy": {"level": "WARNING"},
        "celery.app.trace": {"level": "WARNING"},
    },
}
