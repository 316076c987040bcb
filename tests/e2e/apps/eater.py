# SPDX-License-Identifier: MIT
"""An application that uses memory in many ways, as it is told."""

import os
import threading
import time
import urllib.parse

KEPT = []
MB = 1 << 20


def eat(megabytes, per_second):
    """Grows by so much at that speed, in pieces of a megabyte; what it returns keeps it alive."""
    pieces = []
    begun = time.monotonic()
    for i in range(megabytes):
        pieces.append(b"x" * MB)
        late = begun + (i + 1) / per_second - time.monotonic()
        if late > 0:
            time.sleep(late)
    return pieces


def app(environ, start_response):
    query = dict(urllib.parse.parse_qsl(environ["QUERY_STRING"]))
    path = environ["PATH_INFO"]
    status = "200 OK"
    text = str(os.getpid())
    if path == "/keep":
        KEPT.append(eat(int(query["mb"]), float(query.get("rate", 10000))))
    elif path == "/eat":
        eat(int(query["mb"]), float(query.get("rate", 10000)))
    elif path == "/stubborn":
        pieces = []
        for _ in range(int(query["mb"])):
            try:
                pieces.append(eat(1, float(query.get("rate", 10000))))
            except Exception:  # as some applications do
                pass
    elif path == "/drop":
        KEPT.clear()
    elif path == "/sleep":
        time.sleep(float(query["s"]))
    elif path == "/spin":  # uses the processor and never waits
        pieces = [b"x" * MB for _ in range(int(query["mb"]))]
        until = time.monotonic() + float(query["s"])
        while time.monotonic() < until:
            sum(range(100))
        del pieces
    elif path == "/thread":
        thread = threading.Thread(target=lambda: KEPT.append(eat(int(query["mb"]), float(query["rate"]))), daemon=True)
        thread.start()
    elif path not in ("/", "/pid"):
        status = "404 Not Found"
    start_response(status, [("Content-Type", "text/plain"), ("Content-Length", str(len(text)))])
    return [text.encode()]
