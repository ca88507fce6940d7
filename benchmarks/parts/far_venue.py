"""A far venue that closes silent connections: TLS and delays in front of a simulator."""

import asyncio
import datetime
import ipaddress
import select
import socket
import ssl
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import certifi
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from requests import adapters  # noqa: TID251  whose certificates are believed

HOST = "127.0.0.1"
CHUNK_BYTES = 65_536


class FarVenue:
    """Passes requests on, late, and notes when orders have come.

    Args:
        backend_port: of the simulator, over plain HTTP.
        certificate: path of certificate and key.
        round_trip_ms: put in between [ms]; connecting takes one, as over a network.
        idle_s: connections are closed after so long a silence [s].
    """

    def __init__(
        self, backend_port: int, certificate: Path, *, round_trip_ms: float, idle_s: float
    ) -> None:
        self._backend_port = backend_port
        self._idle_s = idle_s
        self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._tls.minimum_version = ssl.TLSVersion.TLSv1_3
        self._tls.load_cert_chain(certificate)
        self._orders: list[float] = []
        self._listener = socket.create_server((HOST, 0))
        threading.Thread(target=self._accept, daemon=True).start()
        self._road = _Road(self._listener.getsockname()[1], round_trip_ms / 1_000)
        self.url = f"https://{HOST}:{self._road.port}"

    def pop_order_s(self) -> float:
        """Return when the only order since the last call had come [s]."""
        (came_s,) = self._orders
        self._orders.clear()
        return came_s

    def close(self) -> None:
        """Take no further connections."""
        self._listener.close()
        self._road.close()

    def _accept(self) -> None:
        while True:
            try:
                accepted, _address = self._listener.accept()
            except OSError:
                return  # closed
            threading.Thread(target=self._serve, args=(accepted,), daemon=True).start()

    def _serve(self, accepted: socket.socket) -> None:
        accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            with (
                self._tls.wrap_socket(accepted, server_side=True) as near,
                socket.create_connection((HOST, self._backend_port)) as backend,
            ):
                while self._pass_on(near, backend):
                    pass
        except OSError:
            return  # the other end has gone

    def _pass_on(self, near: ssl.SSLSocket, backend: socket.socket) -> bool:
        """Pass the next piece on; return whether there was one before the silence was too long."""
        readable: list[socket.socket] = [near]
        if not near.pending():
            readable, _writable, _errors = select.select([near, backend], [], [], self._idle_s)
        for source in readable:
            data = source.recv(CHUNK_BYTES)
            if source is near and data.startswith(b"POST"):
                self._orders.append(time.perf_counter())
            (backend if source is near else near).sendall(data)
            if not data:
                return False
        return bool(readable)


class _Road:
    """Lets bytes arrive after half a round trip; the first ones after the one that opens."""

    def __init__(self, far_port: int, round_trip_s: float) -> None:
        self._far_port = far_port
        self._round_trip_s = round_trip_s
        self._loop = asyncio.new_event_loop()
        self._is_open = threading.Event()
        self.port = 0
        threading.Thread(target=self._live, daemon=True).start()
        self._is_open.wait()

    def close(self) -> None:
        """End."""
        self._loop.call_soon_threadsafe(self._loop.stop)

    def _live(self) -> None:
        server = self._loop.run_until_complete(asyncio.start_server(self._connected, HOST, 0))
        self.port = server.sockets[0].getsockname()[1]
        self._is_open.set()
        self._loop.run_forever()

    async def _connected(
        self, near: asyncio.StreamReader, near_writer: asyncio.StreamWriter
    ) -> None:
        far, far_writer = await asyncio.open_connection(HOST, self._far_port)
        await asyncio.gather(
            self._carry(near, far_writer, opening_s=self._round_trip_s),
            self._carry(far, near_writer, opening_s=0.0),
        )

    async def _carry(
        self, source: asyncio.StreamReader, target: asyncio.StreamWriter, *, opening_s: float
    ) -> None:
        delay_s = self._round_trip_s / 2 + opening_s
        data = b"-"
        while data:
            try:
                data = await source.read(CHUNK_BYTES)
            except ConnectionError:
                data = b""
            deliver = partial(_deliver, target, data)
            if delay_s:
                self._loop.call_later(delay_s, deliver)
            else:
                deliver()
            delay_s = self._round_trip_s / 2


def _deliver(target: asyncio.StreamWriter, data: bytes) -> None:
    if data:
        target.write(data)
    else:
        target.close()


def make_certificate(directory: Path) -> Path:
    """Write a certificate for the loopback address with its key, and have this process believe it.

    Beside all that are believed anyway: to load them is a part of opening a connection.
    """
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, HOST)])
    now = datetime.datetime.now(datetime.UTC)
    address = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(HOST))])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(address, critical=False)
        .sign(key, hashes.SHA256())
    )
    public = certificate.public_bytes(serialization.Encoding.PEM)
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    path, believed = directory / "venue.pem", directory / "believed.pem"
    path.write_bytes(public + private)
    believed.write_bytes(Path(certifi.where()).read_bytes() + public)
    believe: Callable[..., None] = setattr
    believe(adapters, "DEFAULT_CA_BUNDLE_PATH", str(believed))
    return path
