"""Tokens, read without trusting what stands in the header."""

from typing import Any

from knox.auth import TokenAuthentication as KnoxTokenAuthentication
from rest_framework.exceptions import AuthenticationFailed


class TokenAuthentication(KnoxTokenAuthentication):
    """``Authorization: Token <token>``, a token that ``/api/auth/login`` issued.

    Bytes that are not text are an unknown token, not a crash.
    """

    def authenticate_credentials(self, token: bytes) -> Any:
        """Return the user and the token row.

        Raises:
            AuthenticationFailed: unknown, expired or revoked.
        """
        if not token.isalnum() or not token.isascii():
            raise AuthenticationFailed
        return super().authenticate_credentials(token)
