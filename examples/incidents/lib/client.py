# SPDX-License-Identifier: MIT
"""
The clients of an incident: what load.py of each is made of. Bounded in time and number; prints one JSON document.

    async def incident(load):
        async for number in load.pace(total=500):
            load.spawn(load.ask(f"/user/{number}", load.offenders))

    main(incident)

Two bystanders ask for /ping all the time, one with a new connection each time, one that keeps its connection. They have
nothing to do with the incident: what happens to them is what counts.
"""

import argparse
import asyncio
import collections
import json
import select
import socket
import sys
import time
from urllib.parse import urlsplit

PING_PER_SECOND = 30  # of new connections; half as many on the one that is kept
PING_TIMEOUT = 5.0


class Failure(Exception):
    """A request whose client got no whole answer: connect, reset, timeout or truncated."""


class Connection:
    """As much HTTP as our own small requests need: an answer ends by Content-Length, a last chunk or the end."""

    def __init__(self, address, receive_buffer=None):
        self.address = address
        self.receive_buffer = receive_buffer
        self.sock = None

    async def open(self):
        sock = socket.socket()
        sock.setblocking(False)
        if self.receive_buffer:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, self.receive_buffer)
        try:
            await asyncio.get_running_loop().sock_connect(sock, self.address)
        except OSError:
            sock.close()
            raise Failure("connect") from None
        except asyncio.CancelledError:
            sock.close()
            raise
        self.sock = sock

    def close(self):
        if self.sock:
            self.sock.close()
        self.sock = None

    async def receive(self, size=65536):
        try:
            return await asyncio.get_running_loop().sock_recv(self.sock, size)
        except OSError:
            return b""

    async def send_head(self, target, keep=False):
        kind = "keep-alive" if keep else "close"
        text = f"GET {target} HTTP/1.1\r\nHost: localhost\r\nConnection: {kind}\r\n\r\n"
        try:
            await asyncio.get_running_loop().sock_sendall(self.sock, text.encode())
        except OSError:
            raise Failure("reset") from None

    async def receive_head(self):
        """(status, {name: value}, first bytes of the body)"""
        data = b""
        while b"\r\n\r\n" not in data:
            piece = await self.receive()
            if not piece:
                raise Failure("truncated" if data else "reset")
            data += piece
        head, _, rest = data.partition(b"\r\n\r\n")
        lines = head.decode("latin-1").split("\r\n")
        fields = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])}
        return int(lines[0].split(" ")[1]), fields, rest

    async def get(self, target, keep=False):
        """The status, after the whole body. Closes the connection unless both sides keep it."""
        if not self.sock:
            await self.open()
        await self.send_head(target, keep)
        status, fields, rest = await self.receive_head()
        is_chunked = fields.get("transfer-encoding") == "chunked"
        size = int(fields["content-length"]) if "content-length" in fields else None
        got, tail = len(rest), rest[-5:]
        while not (tail == b"0\r\n\r\n" if is_chunked else got == size):
            piece = await self.receive()
            if not piece:
                if is_chunked or size is not None:
                    raise Failure("truncated")
                break
            got += len(piece)
            tail = (tail + piece)[-5:]
        if not keep or fields.get("connection", "").lower() == "close" or (size is None and not is_chunked):
            self.close()
        return status

    def is_shed(self):
        """Whether the server has ended it, however much is still unread."""
        poll = select.poll()
        poll.register(self.sock, select.POLLRDHUP)
        return bool(poll.poll(0))


class Group:
    """The requests of one kind of client, counted."""

    def __init__(self):
        self.requests = 0
        self.ok = 0
        self.failed = collections.Counter()
        self.aborted = 0
        self.shed = 0

    def document(self):
        return {
            "requests": self.requests,
            "ok": self.ok,
            "failed": {name: self.failed[name] for name in ("connect", "reset", "timeout", "truncated", "500", "503", "other")},
            "failed_total": sum(self.failed.values()),
            "aborted": self.aborted,
            "shed": self.shed,
        }


def quantiles(latencies):
    """Milliseconds. Failed requests are in it with the time that their client waited in vain."""
    ordered = sorted(latencies)
    if not ordered:
        return {"count": 0, "p50_ms": None, "p99_ms": None, "max_ms": None}
    places = {"p50_ms": len(ordered) // 2, "p99_ms": min(len(ordered) * 99 // 100, len(ordered) - 1), "max_ms": -1}
    return {"count": len(ordered), **{name: round(ordered[place] * 1000, 1) for name, place in places.items()}}


class Load:
    def __init__(self, address, upstream, seconds):
        self.address = address
        self.upstream = upstream
        self.seconds = seconds
        self.quiet_seconds = min(4.0, seconds / 4)
        self.innocents = Group()
        self.offenders = Group()
        self.notes = {}
        self.is_quiet = True
        self.latencies = {True: [], False: []}
        self.tasks = set()
        self.end = None

    @property
    def incident_seconds(self):
        return self.seconds - self.quiet_seconds

    def is_over(self):
        return time.monotonic() >= self.end

    def spawn(self, coroutine):
        task = asyncio.ensure_future(coroutine)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)
        return task

    async def pace(self, total=None, per_second=None):
        """Counts at an even pace, whatever the answers do: `total` times until the end, or so many a second."""
        begun = time.monotonic()
        interval = (self.end - begun) / total if total else 1 / per_second
        number = 0
        while not self.is_over() and (total is None or number < total):
            yield number
            number += 1
            await asyncio.sleep(max(min(begun + number * interval, self.end) - time.monotonic(), 0))

    async def ask(self, target, group, connection=None, timeout=20.0):
        """One request, counted. A 500 to an offender is the budget's answer, everything else but success a failure."""
        keep = connection is not None
        connection = connection or Connection(self.address)
        group.requests += 1
        try:
            status = await asyncio.wait_for(connection.get(target, keep), timeout)
        except asyncio.TimeoutError:
            group.failed["connect" if connection.sock is None else "timeout"] += 1
        except Failure as failure:
            group.failed[str(failure)] += 1
        else:
            if status < 500:
                group.ok += 1
            elif status == 500 and group is self.offenders:
                group.aborted += 1
            else:
                group.failed[str(status) if status in (500, 503) else "other"] += 1
            return status
        connection.close()
        return None

    async def ping(self, connection=None):
        is_quiet = self.is_quiet
        begun = time.monotonic()
        await self.ask("/ping", self.innocents, connection, PING_TIMEOUT)
        self.latencies[is_quiet].append(time.monotonic() - begun)

    async def bystander(self):
        async for _ in self.pace(per_second=PING_PER_SECOND):
            self.spawn(self.ping())

    async def loyal_bystander(self):
        connection = Connection(self.address)
        async for _ in self.pace(per_second=PING_PER_SECOND / 2):
            await self.ping(connection)
        connection.close()

    async def listen(self, target, bytes_per_second=0, again_after=3.0):
        """
        A listener of a stream who reads slowly, or not at all after the head. One that the server sheds comes again. Its
        stream's first bytes may take long while the server is busy.
        """
        while not self.is_over():
            connection = Connection(self.address, receive_buffer=16384)
            self.offenders.requests += 1
            try:
                await asyncio.wait_for(self.begin_stream(connection, target), max(self.end - time.monotonic(), 0.1))
                await self.read_slowly(connection, bytes_per_second)
            except asyncio.TimeoutError:
                self.offenders.failed["timeout"] += 1
            except Failure as failure:
                self.offenders.failed[str(failure)] += 1
            finally:
                connection.close()
            await asyncio.sleep(min(again_after, max(self.end - time.monotonic(), 0)))

    async def begin_stream(self, connection, target):
        await connection.open()
        await connection.send_head(target)
        status, _, _ = await connection.receive_head()
        if status >= 500:
            raise Failure(str(status) if status in (500, 503) else "other")

    async def read_slowly(self, connection, bytes_per_second):
        while not self.is_over():
            if connection.is_shed():
                self.offenders.shed += 1
                return
            if bytes_per_second:
                await asyncio.wait_for(connection.receive(bytes_per_second // 4), 10)
            await asyncio.sleep(0.25)
        self.offenders.ok += 1

    async def run(self, incident):
        self.end = time.monotonic() + self.seconds
        bystanders = [asyncio.ensure_future(self.bystander()), asyncio.ensure_future(self.loyal_bystander())]
        await asyncio.sleep(self.quiet_seconds)
        self.is_quiet = False
        await incident(self)
        await asyncio.gather(*bystanders)
        if self.tasks:  # those under way; each has a limit of its own
            await asyncio.wait(self.tasks, timeout=20)
        for task in list(self.tasks):
            task.cancel()

    async def fetch_json(self, target):
        """From the upstream, for the notes."""
        connection = Connection(split(self.upstream))
        await connection.open()
        await connection.send_head(target)
        _, fields, body = await connection.receive_head()
        while len(body) < int(fields["content-length"]):
            body += await connection.receive()
        connection.close()
        return json.loads(body)

    def document(self):
        both = [self.innocents, self.offenders]
        return {
            "requests": sum(group.requests for group in both),
            "failed_total": sum(sum(group.failed.values()) for group in both),
            "aborted": sum(group.aborted for group in both),
            "shed": sum(group.shed for group in both),
            "innocents": self.innocents.document(),
            "offenders": self.offenders.document(),
            "latency_before": quantiles(self.latencies[True]),
            "latency_during": quantiles(self.latencies[False]),
            "notes": self.notes,
        }


def split(url):
    parts = urlsplit(url)
    return parts.hostname, parts.port


def main(incident):
    parser = argparse.ArgumentParser(description="The load of an incident.")
    parser.add_argument("--url", required=True, help="of the server, http://127.0.0.1:PORT")
    parser.add_argument("--upstream", help="address that upstream.py has printed")
    parser.add_argument("--seconds", type=float, default=25)
    arguments = parser.parse_args()
    load = Load(split(arguments.url), arguments.upstream, arguments.seconds)
    asyncio.run(load.run(incident))
    json.dump(load.document(), sys.stdout, indent=2)
    print()
