"""Settings of the tests: fixed secrets, no throttling, a database that DATABASE_URL chooses."""

import os

from arbplatform.settings.scratch import scratch_directory

os.environ.setdefault("SECRET_KEY", "tests-only-secret-key-that-guards-nothing-at-all")
os.environ.setdefault("FIELD_ENCRYPTION_KEYS", "dGVzdHMtb25seS1rZXktdGhhdC1ndWFyZHMtbm90aGk=")
os.environ.setdefault("ARB_INSTALL_ID", "tests")
if "ARB_DATA_DIR" not in os.environ:  # what a test starts works in the directory of its tests
    os.environ["ARB_DATA_DIR"] = scratch_directory()

from arbplatform.settings.base import *  # noqa: F403
from arbplatform.settings.base import DATABASES, REST_FRAMEWORK

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}
LANGUAGE_CODE = COMMAND_LANGUAGE = "en"
REST_FRAMEWORK["DEFAULT_THROTTLE_CLASSES"] = []
CELERY_BROKER_URL = "memory://"
BUDGET_REDIS_URL = ""
VENUE_WARM_CONNECTIONS = 0  # tests count what venues are asked
REDIS_URL = "memory://"
if DATABASES["default"]["ENGINE"].endswith("sqlite3"):
    # A file, not memory: threads and processes of one test share it as they do in the product.
    DATABASES["default"]["TEST"] = {"NAME": os.environ["ARB_DATA_DIR"] + "/test.sqlite3"}
    # No test survives a power cut: commits wait for no disk, as on the PostgreSQL of the tests.
    DATABASES["default"]["OPTIONS"]["init_command"] += "PRAGMA synchronous=OFF;"
