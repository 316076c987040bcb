# SPDX-License-Identifier: MIT
"""WSGI applications without a framework, one callable for each workload of bench/run."""

import gc
import json
import os
import time
import wsgiref.util

LOADED = time.monotonic()
HELLO = b"Hello, world\n"
BODY = b"b" * 102400
PIECE = b"p" * 1024
FILE = os.environ.get("BENCH_FILE", "")


def plain(start_response, body):
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body]


def hello(environ, start_response):
    return plain(start_response, HELLO)


def body(environ, start_response):
    return plain(start_response, BODY)


def echo(environ, start_response):
    return plain(start_response, environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"])))


def stream(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    for _ in range(100):
        yield PIECE


def file(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(os.path.getsize(FILE)))])
    return environ.get("wsgi.file_wrapper", wsgiref.util.FileWrapper)(open(FILE, "rb"))


def sleep(environ, start_response):
    time.sleep(0.02)
    return plain(start_response, HELLO)


def stamp(environ, start_response):
    """Who answers, since when it is loaded, and how its garbage collector is set."""
    facts = {"pid": os.getpid(), "loaded": LOADED, "threshold": gc.get_threshold(), "enabled": gc.isenabled(),
             "frozen_before": gc.get_freeze_count() > 0, "frozen_after": not any(item is stamp for item in gc.get_objects())}
    return plain(start_response, json.dumps(facts).encode())
