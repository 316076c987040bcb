# SPDX-License-Identifier: MIT
"""The threads of worker class gthread, started by src/worker/gthread.c.

They are made here so that applications see whole threading.Thread objects, under the names that gunicorn's have.
"""

import threading


def start(count, serve):
    """serve() is the whole life of a thread."""
    threads = [
        threading.Thread(target=serve, name=f"ThreadPoolExecutor-0_{number}", daemon=True) for number in range(count)
    ]
    for thread in threads:
        thread.start()
    return threads


def are_done(threads):
    return not any(thread.is_alive() for thread in threads)
