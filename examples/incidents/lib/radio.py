# SPDX-License-Identifier: MIT
"""
What the applications fetch from: a radio that never ends, big files, a slow service. Outside of the container.

    /stream?rate=R   audio without end, R bytes a second (as fast as it is taken, without); also as the answer to HEAD, as many
                     streaming servers do
    /file?bytes=N&rate=R
    /now             a small JSON document, after 100 milliseconds
    /count           how often /now was asked
    /directory       the addresses of all stations

main() prints the address and serves until its input ends, so that it never outlives who started it.
"""

import asyncio
import json
import socket
import sys
import time
from urllib.parse import parse_qs, urlsplit

PIECE = bytes(range(256)) * 64


class Radio:
    def __init__(self):
        self.fetched = 0
        self.addresses = []

    async def serve(self, reader, writer):
        # A sender with small buffers: what piles up should pile up at the server under test.
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 65536)
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                url = urlsplit(head.split(b" ", 2)[1].decode())
                await self.answer(writer, url.path, {name: int(values[0]) for name, values in parse_qs(url.query).items()})
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    async def answer(self, writer, path, query):
        if path.startswith("/stream"):
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: audio/mpeg\r\nicy-name: Radio Loopback\r\nicy-br: 128\r\n\r\n")
            await self.send(writer, None, query.get("rate"))
        elif path == "/file":
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: video/mp4\r\nContent-Length: %d\r\n\r\n" % query["bytes"])
            await self.send(writer, query["bytes"], query.get("rate"))
        elif path == "/directory":
            self.send_json(writer, self.addresses)
        elif path == "/count":
            self.send_json(writer, {"fetched": self.fetched})
        else:
            self.fetched += 1
            await asyncio.sleep(0.1)
            self.send_json(writer, {"title": f"Song {self.fetched}", "artist": "The Loopbacks"})

    @staticmethod
    def send_json(writer, value):
        body = json.dumps(value).encode()
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))

    @staticmethod
    async def send(writer, size, rate):
        begun, sent = time.monotonic(), 0
        while size is None or sent < size:
            piece = PIECE if size is None else PIECE[: size - sent]
            writer.write(piece)
            await writer.drain()
            sent += len(piece)
            ahead = sent / rate - (time.monotonic() - begun) if rate else 0
            if ahead > 0.005:
                await asyncio.sleep(ahead)


async def run(stations):
    radio = Radio()
    servers = []
    for _ in range(stations):
        servers.append(await asyncio.start_server(radio.serve, "127.0.0.1", 0, backlog=128))
        radio.addresses.append("http://127.0.0.1:%d" % servers[-1].sockets[0].getsockname()[1])
    print(radio.addresses[0], flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


def main(stations=1):
    asyncio.run(run(stations))
