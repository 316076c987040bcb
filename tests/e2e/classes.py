# SPDX-License-Identifier: MIT
"""The worker classes as command lines, for tests that hold for each of them."""

import functools
import os

import pytest
from server import BUILD

CLASSES = {"sync": ["-k", "sync"], "gthread": ["-k", "gthread", "--threads", "4"], "gevent": ["-k", "gevent"]}


@functools.lru_cache(maxsize=None)
def is_sanitized():
    """greenlet copies stacks about, which no sanitizer can follow."""
    program = BUILD / "gunwale-worker"
    text = program.read_bytes() if os.path.exists(program) else b""
    return b"libasan.so" in text or b"libtsan.so" in text


def class_arguments(name):
    """The arguments; skips the test where the class cannot be tried."""
    if name == "gevent" and is_sanitized():
        pytest.skip("gevent does not run under sanitizers")
    return CLASSES[name]
