"""A small API of its own, so that the frame is tested without any app."""

import pytest
from rest_framework.test import APIRequestFactory
from rest_framework.views import APIView


class Call:
    """Sends one request through a view that does what the test says."""

    def __call__(self, behaviour, method="get", data=None, **options):
        class View(APIView):
            permission_classes = ()
            authentication_classes = ()

            def get(self, request):
                return behaviour(request)

            post = put = delete = get

        request = getattr(APIRequestFactory(), method)("/api/somewhere", data, **options)
        response = View.as_view()(request)
        return response.render()


@pytest.fixture
def call():
    return Call()
