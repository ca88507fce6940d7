"""How long what is no fact about money is kept [days]; 0 is for ever.

Orders, trades, ledger entries, executions with what they were decided on, transfers and
histories of changes are not named here: they are never removed.
"""

from django.core.exceptions import ImproperlyConfigured

from arbplatform.settings.env import env

RETENTION_DAYS: dict[str, int] = {
    "alarms": env.int("RETENTION_ALARMS_DAYS", default=365),
    "comparisons": env.int("RETENTION_COMPARISONS_DAYS", default=30),
    "discrepancies": env.int("RETENTION_DISCREPANCIES_DAYS", default=30),
    "engines": env.int("RETENTION_ENGINES_DAYS", default=30),
    "equity": env.int("RETENTION_EQUITY_DAYS", default=30),
    "failed_logins": env.int("RETENTION_FAILED_LOGINS_DAYS", default=90),
    "logins": env.int("RETENTION_LOGINS_DAYS", default=365),
    "logs": env.int("RETENTION_LOGS_DAYS", default=30),
    "notices": env.int("RETENTION_NOTICES_DAYS", default=30),
    "opportunities": env.int("RETENTION_OPPORTUNITIES_DAYS", default=14),
    "sessions": env.int("RETENTION_SESSIONS_DAYS", default=7),
    "tokens": env.int("RETENTION_TOKENS_DAYS", default=7),
    "warnings": env.int("RETENTION_WARNINGS_DAYS", default=365),
}

for _kind, _days in RETENTION_DAYS.items():
    if _days < 0:
        _message = f"RETENTION_{_kind.upper()}_DAYS is {_days}; set 0 to keep them for ever."
        raise ImproperlyConfigured(_message)
