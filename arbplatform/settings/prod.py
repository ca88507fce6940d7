"""Settings of production: every secret comes from the environment, cookies are secure."""

from arbplatform.settings.base import *  # noqa: F403
from arbplatform.settings.base import LOGGING
from arbplatform.settings.env import env

ARB_ENVIRONMENT = env.str("ARB_ENVIRONMENT", default="production")
LOGGING["handlers"]["console"]["formatter"] = env.str("LOG_FORMAT", default="json")

SECURE_SSL_REDIRECT = env.bool("SECURE_SSL_REDIRECT", default=True)
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
SECURE_REDIRECT_EXEMPT = [r"^(healthz|metrics|api/health)/?$"]  # asked from inside, without TLS
SECURE_HSTS_SECONDS = env.int("SECURE_HSTS_SECONDS", default=31_536_000)
SESSION_COOKIE_SECURE = True
CSRF_COOKIE_SECURE = True
# Subdomains and the preload list concern more than this service: the owner of the domain decides.
SILENCED_SYSTEM_CHECKS = ["security.W005", "security.W021"]
