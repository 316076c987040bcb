# SPDX-License-Identifier: MIT
"""The worker classes as command lines, for tests that hold for each of them."""

import pytest

CLASSES = {"sync": ["-k", "sync"], "gthread": ["-k", "gthread", "--threads", "4"], "gevent": ["-k", "gevent"]}


def class_arguments(server, name):
    """The arguments; skips the test where the class does not exist."""
    found = server.run(["--check-config", *CLASSES[name], "wsgiref.simple_server:demo_app"])
    if "is not supported" in found.stderr:
        pytest.skip(f"worker class {name} is not there yet")
    return CLASSES[name]
