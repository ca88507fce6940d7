"""Settings of the HTTP API."""

from datetime import timedelta
from typing import Any

from corsheaders.defaults import default_headers

from arbplatform.settings.env import env

CORS_ALLOWED_ORIGINS: list[str] = env.list("CORS_ALLOWED_ORIGINS", default=[])
"""Empty: one origin. The console and a frontend behind the same address need no CORS at all."""
CORS_ALLOW_CREDENTIALS = bool(CORS_ALLOWED_ORIGINS)
CORS_URLS_REGEX = r"^/api/.*$"
CORS_ALLOW_HEADERS = [*default_headers, "idempotency-key", "if-match"]
CORS_EXPOSE_HEADERS = ["X-Request-ID", "Retry-After", "Idempotent-Replayed", "ETag"]

REST_FRAMEWORK: dict[str, Any] = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "arbplatform.api.authentication.TokenAuthentication",
        "rest_framework.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["arbplatform.api.permissions.ReadOrStaffWrite"],
    "DEFAULT_RENDERER_CLASSES": ["arbplatform.api.envelope.EnvelopeRenderer"],
    "DEFAULT_CONTENT_NEGOTIATION_CLASS": "arbplatform.api.envelope.LenientNegotiation",
    "DEFAULT_PARSER_CLASSES": ["arbplatform.api.parsers.StrictJSONParser"],
    "DEFAULT_PAGINATION_CLASS": "arbplatform.api.pagination.PagePagination",
    "DEFAULT_FILTER_BACKENDS": [
        "django_filters.rest_framework.DjangoFilterBackend",
        "arbplatform.api.filters.StrictOrdering",
    ],
    "DEFAULT_SCHEMA_CLASS": "arbplatform.api.schema.EnvelopeSchema",
    "EXCEPTION_HANDLER": "arbplatform.api.exception_handler.handle",
    "DEFAULT_THROTTLE_CLASSES": [
        "arbplatform.api.throttling.AnonymousThrottle",
        "arbplatform.api.throttling.UserThrottle",
    ],
    "DEFAULT_THROTTLE_RATES": {
        "anon": env.str("API_RATE_ANON", default="60/min"),
        "health": env.str("API_RATE_HEALTH", default="300/min"),
        "user": env.str("API_RATE_USER", default="6000/min"),
        "login": env.str("API_RATE_LOGIN", default="20/min"),
    },
    "NUM_PROXIES": env.int("API_PROXY_COUNT", default=0),
    "URL_FORMAT_OVERRIDE": None,
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
}

PUSH_CLIENTS_MAX = env.int("PUSH_CLIENTS_MAX", default=5_000)
"""WebSockets of one process; each takes an open file."""
PUSH_CLIENTS_PER_USER_MAX = env.int("PUSH_CLIENTS_PER_USER_MAX", default=100)
"""Of these, how many one person may have."""

REST_KNOX = {"TOKEN_TTL": timedelta(hours=env.int("API_TOKEN_HOURS", default=24))}

SPECTACULAR_SETTINGS: dict[str, Any] = {
    "TITLE": "arbplatform",
    "VERSION": "1",
    "DESCRIPTION": (
        "Every answer is an envelope: `code` 0 is success and `data` carries the result; any other "
        "code names an error, `msg` says what happened and what to do, in the language that "
        "`Accept-Language` asks for. The HTTP status is the real one; with 429, `Retry-After` says "
        "how many seconds to wait. Log in by `POST /api/auth/login` and send "
        "`Authorization: Token …`. Amounts of money are strings of plain digits; times are ISO "
        "8601 in UTC, but for names that end with `_ms`: whole milliseconds, those of a moment "
        "(`opened_at_ms` of a bar, as venues give it) since 1970-01-01 UTC."
    ),
    "SERVE_INCLUDE_SCHEMA": False,
    "SCHEMA_PATH_PREFIX": r"/api",
    "COMPONENT_SPLIT_REQUEST": True,
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "SWAGGER_UI_SETTINGS": {"deepLinking": True, "persistAuthorization": True},
    "SORT_OPERATION_PARAMETERS": False,
    "ENUM_GENERATE_CHOICE_DESCRIPTION": False,
    "ENUM_NAME_OVERRIDES": {
        "WalletEnum": "accounts.models.WalletChoice",
        "AddressStateEnum": "accounts.models.AddressStateChoice",
        "TransferStateEnum": "accounts.models.TransferStateChoice",
        "OrderStateEnum": "ledger.models.OrderStateChoice",
        "OrderKindEnum": "ledger.models.OrderKindChoice",
        "EntryKindEnum": "ledger.models.EntryKind",
        "StrategyDriverEnum": "strategies.models.StrategyDriverChoice",
        "StrategyStateEnum": "strategies.models.StrategyStateChoice",
        "ExecutionStateEnum": "strategies.models.ExecutionStateChoice",
        "TradingStateEnum": "ledger.models.TradingStateChoice",
        "FeedStateEnum": "markets.services.feeds.FeedStateChoice",
        "VenueStateEnum": "markets.models.VenueStateChoice",
        "HaltLevelEnum": "ledger.models.HaltLevelChoice",
        "KillLevelEnum": "strategies.api.risk_serializers.KILL_LEVELS",
        "LogLevelEnum": "ledger.models.LogLevel",
    },
}
