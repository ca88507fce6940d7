"""Rate limits that do not take the API down when their counter store is away."""

import logging
from typing import TYPE_CHECKING, Any

from redis.exceptions import RedisError
from rest_framework.request import Request
from rest_framework.throttling import AnonRateThrottle, UserRateThrottle

from arbplatform.api.scrapers import may_read_metrics

if TYPE_CHECKING:  # rest_framework.views itself loads this module
    from rest_framework.views import APIView

logger = logging.getLogger(__name__)


class _FailsOpen:
    """Lets a request pass when Redis cannot be asked: stopping a strategy must stay possible.

    Guessing passwords stays bounded all the same: axes counts failed logins in the database.
    """

    def allow_request(self, request: Request, view: "APIView") -> bool:
        try:
            return bool(super().allow_request(request, view))  # type: ignore[misc]
        except (RedisError, OSError) as error:
            logger.warning("Requests are not being limited, Redis does not answer: %s", error)
            return True


class AnonymousThrottle(_FailsOpen, AnonRateThrottle):
    """Requests of one address without a login (API_RATE_ANON)."""


class HealthThrottle(_FailsOpen, AnonRateThrottle):
    """Looks of one address at ``/api/health`` without a login (API_RATE_HEALTH).

    Counted apart from other requests, so that whoever tries doors does not keep a load balancer
    behind the same address from its answer. Who sends METRICS_TOKEN is not counted.
    """

    scope = "health"

    def get_cache_key(self, request: Request, view: "APIView") -> Any:
        """Count by address; None counts nothing."""
        return None if may_read_metrics(request) else super().get_cache_key(request, view)


class UserThrottle(_FailsOpen, UserRateThrottle):
    """Requests of one person (API_RATE_USER).

    Strangers have rates of their own: what they ask counts for nobody's, whatever address they
    come from or claim to come from.
    """

    def get_cache_key(self, request: Request, view: "APIView") -> Any:
        """Count by person; None counts nothing."""
        return super().get_cache_key(request, view) if request.user.is_authenticated else None


class LoginThrottle(_FailsOpen, AnonRateThrottle):
    """Login attempts of one address (API_RATE_LOGIN)."""

    scope = "login"

    def get_cache_key(self, request: Request, view: "APIView") -> Any:
        """Count by address, also for somebody who is logged in already."""
        return self.cache_format % {"scope": self.scope, "ident": self.get_ident(request)}
