"""Addresses of the login under /api/."""

from arbplatform.api.auth import LoginView, LogoutAllView, LogoutView, MeView
from arbplatform.api.routes import route

urlpatterns = [
    route("auth/login", LoginView.as_view(), name="login"),
    route("auth/logout", LogoutView.as_view(), name="logout"),
    route("auth/logoutall", LogoutAllView.as_view(), name="logoutall"),
    route("auth/me", MeView.as_view(), name="me"),
]
