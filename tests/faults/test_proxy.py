"""The tools of the fault tests do what they say: a proxy that passes everything would let every scenario pass."""

import gc
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress

import pytest
from support.proxy import FaultProxy, in_front_of

SHORT = 0.3  # seconds in which an answer on this machine comes


@contextmanager
def echo() -> Iterator[tuple[tuple[str, int], list[bytes]]]:
    """A server that sends back what it gets; yields its address, and what it got."""
    got: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve(client: socket.socket) -> None:
            with client:
                try:
                    while chunk := client.recv(4096):
                        got.append(chunk)
                        client.sendall(chunk)
                except OSError:
                    return

        def accept() -> None:
            while True:
                try:
                    client, _ = listening.accept()
                except OSError:
                    return
                threading.Thread(target=serve, args=(client,), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        yield listening.getsockname(), got
        listening.shutdown(socket.SHUT_RDWR)


@contextmanager
def connected() -> Iterator[tuple[FaultProxy, socket.socket, list[bytes]]]:
    """A proxy in front of an echo, and a client of it that has heard an echo."""
    with echo() as (address, got), in_front_of(address) as proxy, client_of(proxy) as client:
        assert asked(client, b"hello") == b"hello"
        yield proxy, client, got


def client_of(proxy: FaultProxy) -> socket.socket:
    """Return a new connection through the proxy."""
    return socket.create_connection(("127.0.0.1", proxy.port), timeout=SHORT)


def asked(client: socket.socket, words: bytes) -> bytes | None:
    """Return the echo, None if none comes; raises ConnectionError after a reset."""
    client.sendall(words)
    try:
        return client.recv(4096)
    except TimeoutError:
        return None


def test_silence_takes_everything_and_answers_nothing() -> None:
    """A black hole swallows old and new connections; after it, both have to begin anew."""
    with connected() as (proxy, client, got):
        proxy.silence()
        assert asked(client, b"lost") is None
        with client_of(proxy) as late:
            assert asked(late, b"lost too") is None
        proxy.heal()
        with pytest.raises(ConnectionError):
            asked(client, b"again")
        with client_of(proxy) as fresh:
            assert asked(fresh, b"fresh") == b"fresh"
        assert b"lost" not in b"".join(got)


def test_a_frozen_connection_goes_on() -> None:
    """What is sent while frozen arrives afterwards, on the same connection."""
    with connected() as (proxy, client, _):
        proxy.freeze()
        assert asked(client, b"later") is None
        proxy.heal()
        assert client.recv(4096) == b"later"


def test_a_half_open_connection_is_not_told_of_its_end() -> None:
    """The server's side is gone; the client sends into nothing and hears no end; new connections work."""
    with connected() as (proxy, client, _):
        proxy.halve()
        assert asked(client, b"anybody?") is None
        with client_of(proxy) as fresh:
            assert asked(fresh, b"fresh") == b"fresh"


def test_resets_and_refusals_are_errors_at_once() -> None:
    """A reset ends what is open, a refusal what would be opened."""
    with connected() as (proxy, client, _):
        proxy.reset()
        with pytest.raises(ConnectionError):
            asked(client, b"x")
        proxy.refuse()
        with pytest.raises(ConnectionRefusedError):
            client_of(proxy)
        proxy.heal()
        with client_of(proxy) as fresh:
            assert asked(fresh, b"fresh") == b"fresh"


@pytest.mark.parametrize("before", [True, False])
def test_a_request_is_spoiled_before_or_after_its_effect(*, before: bool) -> None:
    """The connection is reset around exactly the chosen request, which reaches the server or does not."""
    with connected() as (proxy, client, got):
        trigger = proxy.spoil(b"COMMIT", before=before)
        assert asked(client, b"BEGIN") == b"BEGIN"
        with pytest.raises(ConnectionError):
            asked(client, b"COMMIT")
        assert trigger.hit == 1
        assert (b"COMMIT" in got) is not before
        with client_of(proxy) as fresh:
            assert asked(fresh, b"COMMIT") == b"COMMIT"


def test_a_connection_is_cut_after_so_many_bytes() -> None:
    """Exactly so many bytes come through, then a reset."""
    with echo() as (address, _), in_front_of(address) as proxy, client_of(proxy) as client:
        proxy.to_client.cut_after = 3
        client.sendall(b"hello")
        assert client.recv(4096) == b"hel"
        with pytest.raises(ConnectionError):
            client.recv(4096)


def test_delay_slows_one_direction() -> None:
    """An answer comes late, and comes."""
    with connected() as (proxy, client, _):
        proxy.to_client.delay = 2 * SHORT
        assert asked(client, b"slow") is None
        client.settimeout(10)
        assert client.recv(4096) == b"slow"


def test_ends_while_connections_come() -> None:
    """Who connects while the proxy ends is reset like everybody else: nothing of it stays open."""
    for _ in range(10):
        with echo() as (address, _), ExitStack() as clients:
            proxy = FaultProxy(address)
            proxy.start()
            ended = threading.Event()

            def connect(proxy: FaultProxy = proxy, ended: threading.Event = ended, kept: ExitStack = clients) -> None:
                while not ended.is_set():
                    with suppress(OSError):
                        kept.enter_context(client_of(proxy))
                    time.sleep(0.001)

            coming = [threading.Thread(target=connect) for _ in range(3)]
            for thread in coming:
                thread.start()
            time.sleep(0.02)
            proxy.stop()
            ended.set()
            for thread in coming:
                thread.join()
            assert proxy.open_links == 0
    gc.collect()  # what was left open says so, and warnings are errors
