# SPDX-License-Identifier: MIT
"""What the framework applications of test_frameworks.py have in common: files, a large answer, a digest of a stream."""

import hashlib
import pathlib

HERE = pathlib.Path(__file__).resolve().parent
STATIC = HERE / "static"
FILE = STATIC / "letters.txt"
BIG = [{"number": number, "text": "x" * 20} for number in range(40000)]


def digest(read):
    """Reads a stream to its end in pieces: what a careful application does with an upload."""
    check, size = hashlib.sha256(), 0
    while piece := read(65536):
        check.update(piece)
        size += len(piece)
    return {"bytes": size, "sha256": check.hexdigest()}


def pieces():
    for number in range(50):
        yield f"piece {number}\n".encode()


def seen(environ):
    """How a request for another protocol looks to the application."""
    return {key: environ.get(key) for key in ("HTTP_UPGRADE", "HTTP_CONNECTION", "SERVER_PROTOCOL", "wsgi.multithread")}
