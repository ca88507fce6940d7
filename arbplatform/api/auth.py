"""Log in to get a token, look at oneself, log out."""

from datetime import datetime
from typing import Any

from django.conf import settings
from django.contrib.auth import authenticate, logout
from django.contrib.auth.models import AbstractBaseUser, User
from django.contrib.auth.signals import user_logged_in, user_logged_out
from drf_spectacular.utils import extend_schema
from knox.models import AuthToken
from rest_framework import serializers
from rest_framework.permissions import AllowAny, IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from arbplatform.api.errors import LoginFailed
from arbplatform.api.fields import BodySerializer
from arbplatform.api.handlers import login_locked
from arbplatform.api.throttling import LoginThrottle

TAGS = ["auth"]


class CredentialsSerializer(BodySerializer):
    """What a login asks for."""

    username = serializers.CharField(max_length=150)
    password = serializers.CharField(
        max_length=128, trim_whitespace=False, write_only=True, style={"input_type": "password"}
    )


class UserSerializer(serializers.Serializer[User]):
    """Who is logged in and what they may do."""

    id = serializers.IntegerField()
    username = serializers.CharField()
    is_staff = serializers.BooleanField(help_text="May change what their permissions let them.")
    is_superuser = serializers.BooleanField()


class TokenSerializer(serializers.Serializer[Any]):
    """A new token. It is shown this once; only its hash is stored."""

    token = serializers.CharField(help_text="Send it as `Authorization: Token <token>`.")
    expires_at = serializers.DateTimeField(allow_null=True)
    user = UserSerializer()


class SessionSerializer(serializers.Serializer[Any]):
    """How the present request is authenticated."""

    user = UserSerializer()
    method = serializers.ChoiceField(choices=["token", "session"])
    expires_at = serializers.DateTimeField(allow_null=True)


class LoginView(APIView):
    """Exchange user name and password for a token."""

    authentication_classes = ()
    permission_classes = (AllowAny,)
    throttle_classes = (LoginThrottle,)

    @extend_schema(
        operation_id="auth_login",
        tags=TAGS,
        request=CredentialsSerializer,
        responses={200: TokenSerializer},
        auth=[],
    )
    def post(self, request: Request) -> Response:
        """Log in and get a token that expires; each program should have its own."""
        form = CredentialsSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        # axes marks Django's own request; DRF's wrapper would hide the mark from its middleware
        django_request = request._request  # noqa: SLF001
        user = authenticate(django_request, **form.validated_data)
        if user is None:
            if getattr(django_request, "axes_locked_out", False):
                raise login_locked()
            raise LoginFailed(limit=settings.AXES_FAILURE_LIMIT)
        token, secret = AuthToken.objects.create(user=user)
        user_logged_in.send(sender=type(user), request=django_request, user=user)
        answer = {"token": secret, "expires_at": token.expiry, "user": user}
        return Response(TokenSerializer(answer).data)


class LogoutView(APIView):
    """Give the token back, or end the session."""

    permission_classes = (IsAuthenticated,)

    @extend_schema(operation_id="auth_logout", tags=TAGS, request=None, responses={204: None})
    def post(self, request: Request) -> Response:
        """Revoke the token, or end the session, that this request came with."""
        if isinstance(request.auth, AuthToken):
            request.auth.delete()
            _announce_logout(request)
        else:
            logout(request._request)  # noqa: SLF001
        return Response(status=204)


class LogoutAllView(APIView):
    """Give all tokens back."""

    permission_classes = (IsAuthenticated,)

    @extend_schema(operation_id="auth_logoutall", tags=TAGS, request=None, responses={204: None})
    def post(self, request: Request) -> Response:
        """Revoke every token of this person, and end the session that this request came with."""
        AuthToken.objects.filter(user=request.user).delete()
        if isinstance(request.auth, AuthToken):
            _announce_logout(request)
        else:
            logout(request._request)  # noqa: SLF001
        return Response(status=204)


class MeView(APIView):
    """Who am I?"""

    permission_classes = (IsAuthenticated,)

    @extend_schema(operation_id="auth_me", tags=TAGS, responses={200: SessionSerializer})
    def get(self, request: Request) -> Response:
        """Return who is logged in, how, and until when."""
        answer = {
            "user": request.user,
            "method": "token" if isinstance(request.auth, AuthToken) else "session",
            "expires_at": _expiry(request),
        }
        return Response(SessionSerializer(answer).data)


def _expiry(request: Request) -> datetime | None:
    if isinstance(request.auth, AuthToken):
        expiry: datetime | None = request.auth.expiry
        return expiry
    session = getattr(request._request, "session", None)  # noqa: SLF001
    return session.get_expiry_date() if session is not None else None


def _announce_logout(request: Request) -> None:
    user = request.user
    if isinstance(user, AbstractBaseUser):
        user_logged_out.send(sender=type(user), request=request._request, user=user)  # noqa: SLF001
