# SPDX-License-Identifier: MIT
"""The end of a process: what Python does at exit as far as anybody can see it."""

import atexit
import sys
import threading


def _flush(stream):
    try:
        stream.flush()
    except (AttributeError, OSError, ValueError):
        pass


def flush():
    """What the application has printed."""
    _flush(sys.stdout)
    _flush(sys.stderr)


def run():
    """Joins threads, runs exit handlers, flushes. The interpreter is not torn down: that only touches shared memory."""
    threading._shutdown()
    atexit._run_exitfuncs()
    flush()
