"""ASGI entry point: ``uvicorn arbplatform.asgi:application``."""

import os

from channels.routing import ProtocolTypeRouter
from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "arbplatform.settings.prod")

http = get_asgi_application()

# all need the apps to be ready
from arbplatform.api.body_limit import BodyLimit  # noqa: E402
from arbplatform.push.application import push_application  # noqa: E402
from markets.selectors import find_unknown_markets  # noqa: E402
from markets.services.feeds import find_untold, register_topics  # noqa: E402

application = ProtocolTypeRouter(
    {
        "http": BodyLimit(http),
        "websocket": push_application(
            register_interest=register_topics,
            find_unknown=find_unknown_markets,
            find_untold=find_untold,
        ),
    }
)
