"""Servers that read whole requests and answer each with given bytes, over TCP or TLS."""

import contextlib
import datetime as dt
import ipaddress
import re
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

_USAGE = x509.KeyUsage(
    digital_signature=True,
    content_commitment=False,
    key_encipherment=False,
    data_encipherment=False,
    key_agreement=False,
    key_cert_sign=True,
    crl_sign=False,
    encipher_only=False,
    decipher_only=False,
)
HANG_UP = b""  # an answer: the connection is closed instead
Act = Callable[[socket.socket], None]


@dataclass(slots=True)
class Seen:
    """What a server met: the heads and bodies of the requests, and how many connections there were."""

    port: int = 0
    requests: list[tuple[bytes, bytes]] = field(default_factory=list)
    connections: int = 0


def authority(folder: Path, name: str) -> tuple[Path, Path]:
    """Make a certificate for the host ``name``, signed by itself; return its file, and the one with its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = dt.datetime.now(dt.UTC)
    try:
        host: x509.GeneralName = x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        host = x509.DNSName(name)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([host]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(_USAGE, critical=True)  # without which Python refuses an authority from 3.13 on
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    public, whole = folder / f"{name}.pem", folder / f"{name}-key.pem"
    public.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    whole.write_bytes(public.read_bytes() + secret)
    return public, whole


@contextmanager
def serving(*answers: bytes | Act, tls: Path | None = None) -> Iterator[Seen]:
    """Answer the requests, on whatever connection, in turn, the last one again and again.

    ``tls``: the file of the certificate and its key. An answer may be a function, which gets the connection.
    """
    context = None
    if tls is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(tls)
    left = list(answers)
    with socket.create_server(("127.0.0.1", 0)) as server:
        seen = Seen(server.getsockname()[1])
        opened: list[socket.socket] = []

        def accept() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                opened.append(connection)
                seen.connections += 1
                threading.Thread(target=serve, args=(connection,), daemon=True).start()

        def serve(connection: socket.socket) -> None:
            with contextlib.suppress(OSError), contextlib.closing(connection):
                talking = connection if context is None else context.wrap_socket(connection, server_side=True)
                with contextlib.closing(talking):
                    _talk(talking, left, seen)

        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        try:
            yield seen
        finally:
            for connection in opened:
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
            with contextlib.suppress(OSError):
                server.shutdown(socket.SHUT_RDWR)
            server.close()
            thread.join()


def _talk(connection: socket.socket, left: list[bytes | Act], seen: Seen) -> None:
    received = b""
    while True:
        while b"\r\n\r\n" not in received:
            piece = connection.recv(65536)
            if not piece:
                return
            received += piece
        head, _, received = received.partition(b"\r\n\r\n")
        length = re.search(rb"(?i)content-length: (\d+)", head)
        size = int(length[1]) if length else 0
        answer = left.pop(0) if len(left) > 1 else left[0]
        if callable(answer):
            answer(connection)
            return
        while len(received) < size:
            piece = connection.recv(65536)
            if not piece:
                return
            received += piece
        body, received = received[:size], received[size:]
        seen.requests.append((head, body))
        if answer == HANG_UP:
            return
        connection.sendall(answer)


def pieces(*those: bytes, pause: Callable[[], object]) -> Act:
    """An act that sends these bytes, with a pause before each but the first, until nobody listens."""

    def act(connection: socket.socket) -> None:
        for number, piece in enumerate(those):
            if number:
                pause()
            connection.sendall(piece)

    return act
