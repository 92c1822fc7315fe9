"""A TCP proxy that does to a connection what networks do: silence, delay, resets, cuts, half-open ends, lost replies.

It stands in front of any service that speaks TCP. Faults are set as attributes, from any thread, and hold from then
on; :meth:`FaultProxy.heal` takes all of them back.
"""

import asyncio
import contextlib
import socket
import struct
import threading
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, TypeVar

_CHUNK = 65536
_TICK = 0.01  # seconds between two looks at what holds a connection
R = TypeVar("R")


class Flow(StrEnum):
    """What becomes of bytes."""

    PASS = "pass"
    SWALLOW = "swallow"  # read, never handed on: a black hole
    FREEZE = "freeze"  # not handed on now: they come when this is over


@dataclass(slots=True)
class Direction:
    """The faults of one direction."""

    flow: Flow = Flow.PASS
    delay: float = 0.0  # seconds for each chunk
    cut_after: int | None = None  # bytes of a connection after which it is reset


@dataclass(slots=True)
class Trigger:
    """Resets a connection around a request that contains ``words``, ``times`` times, then never again."""

    words: bytes
    times: int
    before: bool  # before it reaches the server; else when its answer comes, which is lost
    silent: bool = False  # not a reset: nothing ever comes back
    hit: int = 0

    def takes(self, chunk: bytes) -> bool:
        """Say whether this is the request to spoil, and count it."""
        if self.hit >= self.times or self.words not in chunk:
            return False
        self.hit += 1
        return True


@dataclass(eq=False, slots=True)
class _Link:
    """One connection through the proxy: writers to both sides."""

    client: asyncio.StreamWriter
    server: asyncio.StreamWriter | None = None
    losing: Trigger | None = None
    swallowed: bool = False  # bytes are missing: it can't go on when the network heals
    halved: bool = False  # its server's side is gone, and the client is never told

    def reset(self) -> None:
        """End both sides with RST."""
        for writer in (self.client, self.server):
            if writer is not None:
                _reset(writer)

    def close(self) -> None:
        """End both sides when everything is sent."""
        for writer in (self.client, self.server):
            if writer is not None:
                writer.close()


class FaultProxy:
    """Listens on ``port`` of 127.0.0.1 and passes everything to ``upstream``, but for the faults set on it.

    ``to_server`` and ``to_client`` are the faults of each direction. ``deaf``: new connections are accepted and never
    served.
    """

    def __init__(self, upstream: tuple[str, int], *, port: int = 0) -> None:
        self.upstream = upstream
        self.port = port
        self.to_server = Direction()
        self.to_client = Direction()
        self.deaf = False
        self.accepted = 0
        self.triggers: list[Trigger] = []
        self._links: set[_Link] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="fault-proxy", daemon=True)
        self._listening: tuple[socket.socket, asyncio.Task[None]] | None = None
        self._serving: set[asyncio.Task[None]] = set()

    # -- what a test does with it

    def start(self) -> None:
        """Begin to listen."""
        self._thread.start()
        self._call(self._listen())

    def stop(self) -> None:
        """End everything."""
        self._call(self._close())
        self._call(self._reset_all())
        self._call(self._cancel_all())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
        self._loop.close()

    def refuse(self) -> None:
        """Refuse new connections and reset those there are, as a service that is down."""
        self._call(self._close())
        self.reset()

    def silence(self) -> None:
        """Accept and take everything, answer nothing: a black hole."""
        self.deaf = True
        self.to_server.flow = self.to_client.flow = Flow.SWALLOW

    def freeze(self) -> None:
        """Let nothing through for now; the connections stay, and go on when this is over."""
        self.to_server.flow = self.to_client.flow = Flow.FREEZE

    def halve(self) -> None:
        """Leave every connection half open: the server's side ends, the client is not told."""
        self._call(self._halve())

    def reset(self) -> None:
        """Reset every connection there is."""
        self._call(self._reset_all())

    def spoil(self, words: bytes, *, times: int = 1, before: bool = False, silent: bool = False) -> Trigger:
        """Reset the connection around the next requests that contain ``words``; see :class:`Trigger`."""
        trigger = Trigger(words, times, before, silent)
        self.triggers.append(trigger)
        return trigger

    def heal(self) -> None:
        """Take all faults back; connections of which bytes are missing are reset, half open ones stay so."""
        self.deaf = False
        self.to_server, self.to_client = Direction(), Direction()
        self.triggers = []
        self._call(self._reset_all(only_broken=True))
        if self._listening is None:
            self._call(self._listen())

    @property
    def open_links(self) -> int:
        """How many connections there are."""
        return len(self._links)

    # -- inside the loop

    def _call(self, work: Coroutine[Any, Any, R]) -> R:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(10)

    async def _listen(self) -> None:
        listening = socket.create_server(("127.0.0.1", self.port))
        listening.setblocking(False)
        # inherited by what it accepts, where asyncio does not set it: an answer in pieces would take 40 ms longer
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.port = listening.getsockname()[1]
        self._listening = listening, self._loop.create_task(self._accept(listening))

    async def _close(self) -> None:
        if self._listening is not None:
            (listening, accepting), self._listening = self._listening, None
            listening.shutdown(socket.SHUT_RDWR)
            await accepting

    async def _reset_all(self, *, only_broken: bool = False) -> None:
        for link in [link for link in self._links if link.swallowed or not only_broken]:
            link.reset()

    async def _halve(self) -> None:
        for link in self._links:
            if link.server is not None:
                server, link.server, link.halved = link.server, None, True
                _reset(server)

    async def _cancel_all(self) -> None:
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _accept(self, listening: socket.socket) -> None:
        """Take connections until the socket is shut: asyncio's own server loses one that comes while it is closed."""
        with listening:
            while True:
                try:
                    client, _ = await self._loop.sock_accept(listening)
                except ConnectionAbortedError:
                    continue
                except OSError:
                    return
                self.accepted += 1
                served = self._loop.create_task(self._serve(client))
                self._serving.add(served)
                served.add_done_callback(self._serving.discard)

    async def _serve(self, client: socket.socket) -> None:
        reader, writer = await asyncio.open_connection(sock=client)
        link = _Link(writer)
        self._links.add(link)
        try:
            if self.deaf:
                link.swallowed = True
                while await reader.read(_CHUNK):
                    pass
                link.reset()
                return
            answers, link.server = await asyncio.open_connection(*self.upstream)
            await _both(self._requests(link, reader), self._answers(link, answers))
            link.close()
        except (OSError, EOFError):
            link.reset()  # one of the two sides is gone, which is what all this is about
        except asyncio.CancelledError:
            link.reset()  # the proxy ends
            raise
        finally:
            self._links.discard(link)

    async def _requests(self, link: _Link, reader: asyncio.StreamReader) -> None:
        async def send(chunk: bytes) -> None:
            for trigger in self.triggers:
                if trigger.takes(chunk):
                    if trigger.before:
                        link.reset()
                        return
                    link.losing = trigger
            if link.server is not None:
                link.server.write(chunk)
                await link.server.drain()

        await self._pump(link, reader, send, lambda: self.to_server)
        if link.server is None:
            raise EOFError  # the client has noticed
        link.server.write_eof()

    async def _answers(self, link: _Link, reader: asyncio.StreamReader) -> None:
        async def send(chunk: bytes) -> None:
            if link.losing is None:
                link.client.write(chunk)
                await link.client.drain()
            elif link.losing.silent:
                link.swallowed = True
            else:
                link.reset()

        await self._pump(link, reader, send, lambda: self.to_client)
        if link.server is None:  # half open: the client must not see that this side has ended
            await asyncio.Event().wait()

    async def _pump(
        self,
        link: _Link,
        reader: asyncio.StreamReader,
        send: Callable[[bytes], Awaitable[None]],
        direction: Callable[[], Direction],
    ) -> None:
        passed = 0
        while True:
            try:
                chunk = await reader.read(_CHUNK)
            except OSError:
                if link.server is None:
                    return
                raise
            if not chunk:
                return
            await asyncio.sleep(direction().delay)
            while direction().flow is Flow.FREEZE:  # noqa: ASYNC110  other threads thaw it
                await asyncio.sleep(_TICK)
            if direction().flow is Flow.SWALLOW:
                link.swallowed = True
                continue
            limit = direction().cut_after
            if limit is not None and passed + len(chunk) > limit:
                await send(chunk[: max(0, limit - passed)])
                await asyncio.sleep(_TICK)  # what was let through arrives before the reset
                link.reset()
                return
            passed += len(chunk)
            await send(chunk)


async def _both(requests: Coroutine[Any, Any, None], answers: Coroutine[Any, Any, None]) -> None:
    """Run both pumps; the connection is over when the answers end, or either breaks."""
    asked, answered = asyncio.ensure_future(requests), asyncio.ensure_future(answers)
    try:
        await asyncio.wait({asked, answered}, return_when=asyncio.FIRST_COMPLETED)
        if asked.done():
            asked.result()
        await answered
    finally:
        for task in (asked, answered):
            task.cancel()
        await asyncio.gather(asked, answered, return_exceptions=True)


def _reset(writer: asyncio.StreamWriter) -> None:
    opened: Any = writer.get_extra_info("socket")
    if opened is not None:
        with contextlib.suppress(OSError):  # it is closed already
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


@contextlib.contextmanager
def in_front_of(upstream: tuple[str, int]) -> Iterator[FaultProxy]:
    """A proxy in front of ``upstream`` for as long as the context lasts."""
    proxy = FaultProxy(upstream)
    proxy.start()
    try:
        yield proxy
    finally:
        proxy.stop()
