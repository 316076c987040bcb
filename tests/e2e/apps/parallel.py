# SPDX-License-Identifier: MIT
"""Requests that depend on each other: for worker classes that run several at a time."""

import threading

from basic import answer, query
from basic import app as basic_app

TOGETHER = threading.Barrier(4)
GATE = threading.Event()


class Closing:
    """As frameworks wrap their answers: an iterator with close()."""

    def __init__(self, items):
        self.items = iter(items)

    def __iter__(self):
        return self

    def __next__(self):
        return next(self.items)

    def close(self):
        pass


def app(environ, start_response):
    path = environ["PATH_INFO"]
    if path == "/together":  # only four requests at the same time get through
        TOGETHER.wait(30)
        return answer(start_response, threading.current_thread().name)
    if path == "/wait":
        open("waiting", "w").close()
        GATE.wait(60)
        return answer(start_response, "went on")
    if path == "/open":
        GATE.set()
        return answer(start_response, "open")
    if path == "/thread":
        is_main = threading.current_thread() is threading.main_thread()
        return answer(start_response, f"{threading.current_thread().name} {is_main}")
    if path == "/big":
        start_response("200 OK", [])
        return Closing([b"x" * int(query(environ, "size"))])
    if path == "/stream":
        start_response("200 OK", [])
        return stream(int(query(environ, "pieces")))
    return basic_app(environ, start_response)


def stream(pieces):
    """Each piece says which thread made it."""
    for _ in range(pieces):
        yield threading.current_thread().name.encode().ljust(65536)
