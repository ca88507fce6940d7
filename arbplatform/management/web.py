"""The web server on a socket that it inherits: ``python -m arbplatform.management.web FD``."""

import socket
import sys
import warnings

import uvicorn
from django.core.management.base import BaseCommand, SystemCheckError
from django.db import connections
from django.utils import translation

from arbplatform.asgi import application
from markets.services.shared_pulses import share_beside

GRACEFUL_SHUTDOWN_S = 3
SOCKET_MESSAGE_BYTES_MAX = 262_144
"""Of what a client sends at once; more closes its connection."""


def main(descriptor: int) -> None:
    """Serve until a signal comes.

    The supervisor owns the socket: while this process is started again, connections wait in its
    queue instead of being refused.

    Args:
        descriptor: number of the open, listening socket.
    """
    # the console's own files come from the disk piece by piece, which Django warns of once
    warnings.filterwarnings("ignore", message="StreamingHttpResponse must consume synchronous")
    check_system()
    config = uvicorn.Config(
        application,
        lifespan="off",
        access_log=False,
        log_level="warning",
        timeout_graceful_shutdown=GRACEFUL_SHUTDOWN_S,
        proxy_headers=False,
        server_header=False,
        # a third of the cost per message; compressing each one for each client costs more than it
        # saves, and what clients say is short
        ws="websockets-sansio",
        ws_per_message_deflate=False,
        ws_max_size=SOCKET_MESSAGE_BYTES_MAX,
    )
    share_beside("web")
    uvicorn.Server(config).run(sockets=[socket.socket(fileno=descriptor)])


def check_system() -> None:
    """Make Django's checks for all processes: the others do without the pages that they load.

    Raises:
        SystemExit: what must be mended first.
    """
    try:
        with translation.override("en"):  # as all that is logged
            BaseCommand().check(databases=list(connections))
    except SystemCheckError as error:
        sys.exit(str(error))
    finally:
        connections.close_all()


if __name__ == "__main__":
    main(int(sys.argv[1]))
