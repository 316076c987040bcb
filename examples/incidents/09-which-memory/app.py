# SPDX-License-Identifier: MIT
"""Nothing is wrong here, but the memory grows: caches that fill, holes in the heap, files, sockets."""

import os
import tempfile
from collections import deque
from functools import lru_cache

from flask import Flask, Response, jsonify, request

app = Flask(__name__)
samples = deque(maxlen=20)
folder = tempfile.mkdtemp(prefix="reports-")


@app.get("/ping")
def ping():
    return "pong\n"


@lru_cache(maxsize=200)
def rendered(page):
    return f"page {page} " * 8000


@app.get("/page/<int:page>")
def page(page):
    return jsonify(bytes=len(rendered(page)))


@app.get("/statistics")
def statistics():
    """Big values that are gone at the end of the request, but a few: the C library keeps the memory between these."""
    values = [bytes(1500) for _ in range(20000)]
    samples.append(values[::500])
    return jsonify(values=len(values), first=values[0][0])


@app.get("/report/<int:number>")
def report(number):
    """A file written and read: its pages stay in the cache, and count for the container."""
    path = os.path.join(folder, f"report-{number % 15}")
    with open(path, "wb") as file:
        file.write(os.urandom(1 << 16) * 32)
    with open(path, "rb") as file:
        return jsonify(bytes=len(file.read()))


@app.get("/download")
def download():
    """A big answer; what a slow client has not taken waits in the kernel."""
    size = request.args.get("bytes", 1 << 20, type=int)
    return Response((b"x" * 65536 for _ in range(size // 65536)), mimetype="application/octet-stream")
