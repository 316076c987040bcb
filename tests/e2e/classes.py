# SPDX-License-Identifier: MIT
"""The worker classes as command lines, for tests that hold for each of them."""

import functools
import os

import pytest
from server import BUILD

CLASSES = {"sync": ["-k", "sync"], "gthread": ["-k", "gthread", "--threads", "4"], "gevent": ["-k", "gevent"]}


@functools.lru_cache(maxsize=None)
def is_sanitized():
    """greenlet copies stacks about, which no address sanitizer can follow."""
    program = BUILD / "gunwale-worker"
    return os.path.exists(program) and b"__asan_init" in program.read_bytes()


def class_arguments(name):
    """The arguments; skips the test where the class cannot be tried."""
    if name == "gevent" and is_sanitized():
        pytest.skip("gevent does not run under the address sanitizer")
    return CLASSES[name]
