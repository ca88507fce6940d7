"""Settings that all environments share."""

import platform
from datetime import timedelta
from typing import Any
from urllib.parse import unquote, urlsplit

from django.core.exceptions import ImproperlyConfigured
from django.utils.translation import gettext_lazy as _
from kombu import Queue
from redis.backoff import NoBackoff
from redis.retry import Retry

from arbplatform.background.queues import QUEUES
from arbplatform.core.masking import know_secret
from arbplatform.settings.api import *  # noqa: F403
from arbplatform.settings.console import *  # noqa: F403
from arbplatform.settings.env import BASE_DIR, DATA_DIR, env, require_secrets, terminal_language
from arbplatform.settings.logs import *  # noqa: F403
from arbplatform.settings.retention import *  # noqa: F403

require_secrets()
SECRET_KEY = env.str("SECRET_KEY")
FIELD_ENCRYPTION_KEYS: list[str] = env.list("FIELD_ENCRYPTION_KEYS")
ARB_INSTALL_ID = env.str("ARB_INSTALL_ID")
"""A part of every client order id: two installations on one account tell their orders apart."""

DEBUG = env.bool("DEBUG", default=False)
DEFAULT_EXCEPTION_REPORTER = "arbplatform.console.error_reports.MaskingReporter"
DEFAULT_EXCEPTION_REPORTER_FILTER = "arbplatform.console.error_reports.MaskingFilter"
ALLOWED_HOSTS: list[str] = env.list("ALLOWED_HOSTS", default=["localhost", "127.0.0.1", "[::1]"])
CSRF_TRUSTED_ORIGINS: list[str] = env.list("CSRF_TRUSTED_ORIGINS", default=[])

INSTALLED_APPS = [
    "unfold.apps.BasicAppConfig",
    "unfold.contrib.filters",
    "unfold.contrib.forms",
    "unfold.contrib.inlines",
    "arbplatform.console.apps.ConsoleAdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django_celery_beat",
    "rest_framework",
    "knox",
    "django_filters",
    "corsheaders",
    "axes",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "arbplatform.api.apps.ApiConfig",
    "arbplatform.retention.apps.RetentionConfig",
    "arbplatform.notices.apps.NoticesConfig",
    "markets",
    "accounts",
    "ledger",
    "strategies",
    "arbplatform",
]

MIDDLEWARE = [
    "arbplatform.api.request_id.RequestIdMiddleware",
    "arbplatform.console.content_policy.ContentPolicyMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "corsheaders.middleware.CorsMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "axes.middleware.AxesMiddleware",
]

ROOT_URLCONF = "arbplatform.urls"
ASGI_APPLICATION = "arbplatform.asgi.application"
WSGI_APPLICATION = "arbplatform.wsgi.application"
APPEND_SLASH = False

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "arbplatform" / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
            "libraries": {"console": "arbplatform.console.template_filters"},
        },
    },
]

SQLITE_OPTIONS = {
    # WAL alone makes read-then-write transactions fail; IMMEDIATE takes the lock at once.
    "transaction_mode": "IMMEDIATE",
    "timeout": 20,
    # FULL: a committed order row must survive a power cut, or it could be sent twice.
    "init_command": (
        "PRAGMA journal_mode=WAL;PRAGMA synchronous=FULL;PRAGMA journal_size_limit=67108864;"
    ),
}


POSTGRES_OPTIONS = {
    "connect_timeout": 5,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 20_000,
    # what a process that is paused, or a machine that is gone, has locked in the middle of a
    # transaction keeps nobody else from going on: the server gives the transaction up
    "options": "-c idle_in_transaction_session_timeout=10000",
}


def database(url: str) -> dict[str, Any]:
    """Return Django's settings for a database URL, made safe for concurrent writers."""
    config: dict[str, Any] = environ_db(url)
    if config["ENGINE"].endswith("sqlite3"):
        config["OPTIONS"] = {**SQLITE_OPTIONS, **config.get("OPTIONS", {})}
    else:
        config.setdefault("CONN_MAX_AGE", 60)
        config["CONN_HEALTH_CHECKS"] = True
        # a server that has vanished from the network must not hold anybody for a quarter of an hour
        config["OPTIONS"] = {**POSTGRES_OPTIONS, **config.get("OPTIONS", {})}
    return config


def environ_db(url: str) -> dict[str, Any]:
    """Parse a database URL; ``postgres://user@//socket/dir/name`` names a local socket."""
    return dict(env.db_url_config(url))


DATABASE_URL = env.str("DATABASE_URL", default="") or f"sqlite:///{DATA_DIR / 'db.sqlite3'}"
DATABASES = {"default": database(DATABASE_URL)}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

REDIS_SOCKET = DATA_DIR / "redis.sock"
REDIS_URL = env.str("REDIS_URL", default="") or f"unix://{REDIS_SOCKET}"


def passwords_in(url: str) -> set[str]:
    """Return the password of an address, quoted as it is and as it is meant."""
    password = urlsplit(url).password or ""
    return {password, unquote(password)}


def broker_url(redis_url: str) -> str:
    """Return a redis-py URL in kombu's spelling."""
    if redis_url.startswith("unix://"):
        path, _separator, query = redis_url.removeprefix("unix://").partition("?")
        number = dict(part.split("=", 1) for part in query.split("&") if part).get("db", "0")
        return f"redis+socket://{path}?virtual_host={number}"
    return redis_url


CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": REDIS_URL,
        "KEY_PREFIX": "arb",
        "OPTIONS": {
            "socket_timeout": 5,
            "socket_connect_timeout": 2,
            # the client's own retries would hold every page and every look for seconds
            "retry": Retry(NoBackoff(), 0),
        },
    }
}

BROKER_URL = env.str("BROKER_URL", default="")
"""Where messages go if not through Redis, for instance ``amqp://…`` of a RabbitMQ."""
for _secret in {SECRET_KEY, *FIELD_ENCRYPTION_KEYS}.union(
    *(passwords_in(url) for url in (DATABASE_URL, REDIS_URL, BROKER_URL))
):
    know_secret(_secret)
CELERY_BROKER_URL = BROKER_URL or broker_url(REDIS_URL)
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_TIMEZONE = "UTC"

CELERY_BEAT_SCHEDULER = "arbplatform.background.scheduler:LeaderScheduler"
CELERY_BEAT_MAX_LOOP_INTERVAL = 1
BEAT_BATCHES: list[dict[str, str]] = [
    {
        "task": "strategies.tick",
        "argument": "strategy_id",
        "batch_task": "strategies.tick_batch",
        "batch_argument": "strategy_ids",
    }
]
"""Tasks with one schedule for each of many rows: beat publishes them many in one message."""
CELERY_WORKER_CONSUMER = "arbplatform.background.consumer:LastingConsumer"
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_CONNECTION_MAX_RETRIES = None
REDIS_TRANSPORT_OPTIONS = {
    "visibility_timeout": 3600,
    # the queues in the order of CELERY_TASK_QUEUES, not in turn
    "queue_order_strategy": "priority",
}
# other brokers do not know these, and refuse the connection
CELERY_BROKER_TRANSPORT_OPTIONS = {} if BROKER_URL else REDIS_TRANSPORT_OPTIONS
CELERY_TASK_DEFAULT_QUEUE = "trading"
CELERY_TASK_QUEUES = tuple(Queue(name) for name in QUEUES)
CELERY_TASK_ROUTES = {
    task: {"queue": queue}
    for queue, tasks in {
        "safety": (
            "accounts.poll_transfers",
            "accounts.submit_transfer",
            "ledger.book_transfer",
            "ledger.book_transfers",
            "ledger.cancel_halted_orders",
            "ledger.renew_dead_man_switches",
            "ledger.heed_conditions",
            "ledger.repeat_cancellations",
            "ledger.resolve_unknown_orders",
            "notices.sweep",
            "strategies.settle_execution",
            "strategies.sweep",
        ),
        "reconcile": (
            "accounts.sync_all_balances",
            "accounts.sync_balances",
            "ledger.reconcile_account",
            "ledger.reconcile_accounts",
            "markets.measure_clocks",
            "markets.watch_venues",
            "strategies.measure_pegs",
        ),
        "reports": (
            "api.prune_answers",
            "ledger.take_equity_snapshot",
            "markets.sync_all_markets",
            "markets.sync_markets",
            "retention.prune",
            "strategies.audit_results",
            "strategies.read_own_fees",
        ),
    }.items()
    for task in tasks
}


def gettext_noop(text: str) -> str:
    """Mark a text to be translated; Django's own would load the settings that are made here."""
    return text


CELERY_BEAT_SCHEDULE: dict[str, dict[str, Any]] = {
    # "expire_seconds" is what the scheduler keeps in its row; it ignores "expires"
    name: {
        "task": task,
        "schedule": timedelta(seconds=every_s),
        "options": {"expire_seconds": every_s},
    }
    for name, task, every_s in (
        (gettext_noop("api: prune answers"), "api.prune_answers", 300),
        (gettext_noop("markets: synchronise markets"), "markets.sync_all_markets", 3600),
        (gettext_noop("markets: watch venues"), "markets.watch_venues", 5),
        (gettext_noop("markets: measure clocks"), "markets.measure_clocks", 60),
        (gettext_noop("accounts: synchronise balances"), "accounts.sync_all_balances", 30),
        (gettext_noop("accounts: poll transfers"), "accounts.poll_transfers", 5),
        (gettext_noop("ledger: resolve unknown orders"), "ledger.resolve_unknown_orders", 2),
        (gettext_noop("ledger: renew dead-man switches"), "ledger.renew_dead_man_switches", 15),
        (gettext_noop("ledger: heed conditions"), "ledger.heed_conditions", 5),
        (gettext_noop("ledger: repeat cancellations"), "ledger.repeat_cancellations", 5),
        (gettext_noop("ledger: cancel halted orders"), "ledger.cancel_halted_orders", 5),
        (gettext_noop("ledger: book transfers"), "ledger.book_transfers", 10),
        (gettext_noop("ledger: reconcile accounts"), "ledger.reconcile_accounts", 60),
        (gettext_noop("ledger: take equity snapshot"), "ledger.take_equity_snapshot", 30),
        (gettext_noop("strategies: sweep runs and executions"), "strategies.sweep", 5),
        (gettext_noop("strategies: measure pegs"), "strategies.measure_pegs", 30),
        (gettext_noop("strategies: audit results"), "strategies.audit_results", 60),
        (gettext_noop("strategies: read own fees"), "strategies.read_own_fees", 3600),
        (gettext_noop("notices: find alarms and send what is due"), "notices.sweep", 10),
        (gettext_noop("retention: remove what is old"), "retention.prune", 300),
    )
}

AUTHENTICATION_BACKENDS = [
    "axes.backends.AxesStandaloneBackend",
    "django.contrib.auth.backends.ModelBackend",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]
LOGIN_URL = "admin:login"
LOGIN_REDIRECT_URL = "admin:index"
AXES_FAILURE_LIMIT = 10
AXES_COOLOFF_TIME = timedelta(minutes=15)
AXES_RESET_ON_SUCCESS = True
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_LOCKOUT_CALLABLE = "arbplatform.api.handlers.locked_out"
AXES_HTTP_RESPONSE_CODE = 429
AXES_VERBOSE = False
CSRF_FAILURE_VIEW = "arbplatform.api.handlers.csrf_failure"

LANGUAGE_CODE = env.str("ARB_LANGUAGE", default="") or "zh-hans"
COMMAND_LANGUAGE = env.str("ARB_LANGUAGE", default="") or terminal_language()
LANGUAGES = [("zh-hans", _("Simplified Chinese")), ("en", _("English"))]
LOCALE_PATHS = [BASE_DIR / "arbplatform" / "locale"]
USE_I18N = True
FORMAT_MODULE_PATH = ["arbplatform.console.formats"]
TIME_ZONE = env.str("ARB_TIME_ZONE", default="UTC")
USE_TZ = True

STATIC_URL = "static/"
# served straight from the packages: nothing to collect, nothing to forget after an upgrade
STATIC_ROOT = None
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
WHITENOISE_USE_FINDERS = True

STRATEGY_PACKAGES: list[str] = env.list("STRATEGY_PACKAGES", default=["strategies.plugins"])
REPORTING_ASSET = env.str("REPORTING_ASSET", default="USDT")
PEGGED_ASSETS: list[str] = env.list(
    "PEGGED_ASSETS", default=["DAI", "FDUSD", "PYUSD", "TUSD", "USD", "USDC", "USDT"]
)
PEG_REFERENCES: list[str] = env.list("PEG_REFERENCES", default=[])
SPOOL_DIR = DATA_DIR / "spool"
"""Where facts wait for a database that is away."""
RECORDINGS_DIR = DATA_DIR / "recordings"
"""Where recorded sessions of feeds go that are not told where."""
SAFETY_LATE_MS = env.int("SAFETY_LATE_MS", default=15_000)
"""Look-ups and sweeps that nobody asked a worker for in this time, it runs by itself [ms]."""
CLOCK_JUMP_MAX_MS = env.int("CLOCK_JUMP_MAX_MS", default=500)
"""A clock that is set by more than this ends new trades until everything was read again [ms]."""
DISK_ALARM_PERCENT = env.int("DISK_ALARM_PERCENT", default=80)
DISK_URGENT_PERCENT = env.int("DISK_URGENT_PERCENT", default=90)
DISK_STOP_PERCENT = env.int("DISK_STOP_PERCENT", default=95)
"""Of the data directory's disk: two alarms, and the end of new trades."""
MACHINE_NAME = platform.node()[:20] or "here"
"""Tells the guards of several machines apart."""
WORKER_DRAIN_MS = env.int("WORKER_DRAIN_MS", default=10_000)
"""A worker that ends hands over what still runs after so long; no step begins then [ms]."""
ENGINE_MEMORY_MAX_MB = env.int("ENGINE_MEMORY_MAX_MB", default=2_048)
"""An engine that uses more hands its strategies over and is started again; 0 is never [MiB]."""
CPU_WAKE_US_MAX = env.int("CPU_WAKE_US_MAX", default=-1)
"""While an engine runs, no processor may take longer to wake; -1: as the machine likes, but for the
moments of a decision [µs]."""
METRICS_TOKEN = env.str("METRICS_TOKEN", default="")
"""What Prometheus sends as its bearer token to read ``/metrics``; empty: there is none."""
METRICS_LOOPBACK = env.bool("METRICS_LOOPBACK", default=False)
"""Whether whoever asks from this machine may read ``/metrics``. Not behind a proxy on it."""
VENUE_TIMEOUT_MAX_MS = 60_000
"""Leases are as long as some requests; one put off by a clock that was ahead must look longer."""
VENUE_TIMEOUT_MS = env.int("VENUE_TIMEOUT_MS", default=10_000)
if not 0 < VENUE_TIMEOUT_MS <= VENUE_TIMEOUT_MAX_MS:
    raise ImproperlyConfigured(
        f"VENUE_TIMEOUT_MS is {VENUE_TIMEOUT_MS}; set 1 to {VENUE_TIMEOUT_MAX_MS}."
    )
VENUE_WARM_CONNECTIONS = env.int("VENUE_WARM_CONNECTIONS", default=3)
"""So many connections to a venue each process keeps open while it could send orders there."""
OUTGOING_ADDRESS = env.str("OUTGOING_ADDRESS", default="default")
"""Machines with the same name share what venues allow to one address."""
NOTICES_PRIVATE = env.bool("NOTICES_PRIVATE", default=False)
"""Whether notices may go to addresses in private networks, and without TLS."""
TRANSFER_COOLING_HOURS = env.int("TRANSFER_COOLING_HOURS", default=24)
"""So long after its approval an address cannot be used yet [h]."""
TRANSFER_TRUST_LOCAL = env.bool("TRANSFER_TRUST_LOCAL", default=True)
"""Whether venues on this machine are simulated, so that transfers between them take one person.
Set it to false where a proxy on this machine leads to a real venue."""
BUDGET_REDIS_URL = "" if REDIS_URL.startswith("memory:") else REDIS_URL
"""Where all processes keep what venues allow; empty: each process for itself."""
