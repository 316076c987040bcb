# SPDX-License-Identifier: MIT
"""Applications whose memory is nobody's business: they use much, or more for a while, but nothing is wrong."""

import os
import time
from urllib.parse import parse_qs

MB = 1024 * 1024
HELD = bytearray(b"x") * (int(os.environ.get("HEALTHY_HELD_MB", "0")) * MB)  # written, so that it is really there
PAGES = 120
cache = {}


def text(start_response, body):
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body]


def app(environ, start_response):
    path = environ["PATH_INFO"]
    query = {name: values[0] for name, values in parse_qs(environ["QUERY_STRING"]).items()}
    if path == "/ping":
        time.sleep(0.02)
        return text(start_response, b"pong")
    if path == "/page":  # of a cache that is full when each page was asked for once
        number = int(query["number"]) % PAGES
        if number not in cache:
            cache[number] = bytes([number]) * (MB // 4)
        return text(start_response, str(len(cache)).encode())
    if path == "/burst":
        much = bytearray(b"x") * (60 * MB)
        time.sleep(0.2)
        return text(start_response, str(len(much)).encode())
    if path == "/events":
        start_response("200 OK", [("Content-Type", "text/event-stream")])
        return events(float(query["seconds"]))
    start_response("404 Not Found", [("Content-Length", "0")])
    return []


def events(seconds):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        yield b"data: " + b"x" * 1000 + b"\n\n"
        time.sleep(0.1)
