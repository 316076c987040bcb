# SPDX-License-Identifier: MIT
"""--preload: the template imports the application, the workers are forks of it."""

import os
import re

import pytest

pytestmark = pytest.mark.quick

APP = """
import gc, os, threading
IMPORTED_IN = os.getpid()
with open("imports", "a") as file:
    file.write("%d\\n" % IMPORTED_IN)
def app(environ, start_response):
    body = b"%d %d %d" % (IMPORTED_IN, os.getpid(), gc.get_freeze_count())
    start_response("200 OK", [("Content-Length", str(len(body)))])
    return [body]
"""


def test_the_application_is_imported_once_in_the_template(server):
    server.write("noting.py", APP)
    server.start("noting:app", workers=3, args=["--preload"])
    template = server.template()
    assert server.read("imports").split() == [str(template)]
    imported, worker, frozen = map(int, server.get("/").text.split())
    assert imported == template and worker in server.workers()
    assert frozen > 1000, "the heap was not frozen before the fork"


def test_without_preload_every_worker_imports_it(server):
    server.write("noting.py", APP)
    server.start("noting:app", workers=3)
    assert sorted(server.read("imports").split()) == sorted(map(str, server.workers()))


def test_a_replacement_does_not_import_again(server):
    server.write("noting.py", APP)
    server.start("noting:app", workers=1, args=["--preload"])
    (old,) = server.workers()
    server.signal("KILL", old)
    server.wait_status(lambda status: [row for row in status["workers"] if row["state"] == "serving" and row["pid"] != old])
    server.wait_workers(1)
    assert len(server.read("imports").split()) == 1


@pytest.mark.parametrize("app, message", [("broken:app", "RuntimeError: this application is broken"), ("basic:missing", "missing")])
def test_a_broken_application_exits_1(server, app, message):
    result = server.run(["-b", "127.0.0.1:0", "--preload", app])
    assert result.returncode == 1, result
    assert message in result.stderr and "Traceback" in result.stderr
    assert not re.search(r"Booting worker", result.stderr)


def test_workers_draw_different_random_numbers(server):
    server.write(
        "dice.py",
        """
        import os, random
        random.random()
        def app(environ, start_response):
            body = b"%d %f" % (os.getpid(), random.random())
            start_response("200 OK", [("Content-Length", str(len(body)))])
            return [body]
        """,
    )
    server.start("dice:app", workers=4, args=["--preload"])
    first = {}

    def all_seen(status):
        worker, number = server.get("/").text.split()
        first.setdefault(worker, number)
        return len(first) >= 2

    server.wait_status(all_seen)
    assert len(set(first.values())) == len(first)


def test_threads_of_the_template_do_not_matter(server):
    """An application that starts a thread at import works after the fork."""
    server.write(
        "threaded.py",
        """
        import threading, time
        from basic import app
        threading.Thread(target=time.sleep, args=(1000,), daemon=True).start()
        """,
    )
    server.start("threaded:app", workers=2, args=["--preload"])
    assert server.get("/").body == b"hello"
    server.stop()


def test_parent_and_main_thread_are_right_in_workers(server):
    server.start(workers=1, args=["--preload"])
    facts = server.get("/facts").json()
    assert facts["ppid"] == server.pid and facts["is_main_thread"]
    assert facts["pid"] != server.template()
    assert os.path.exists(f"/proc/{facts['pid']}")


@pytest.mark.parametrize("more", [[], ["-k", "gthread", "--threads", "2"]])
def test_workers_import_nothing_of_their_own(server, more):
    """It would be written into pages that they share with the template."""
    server.write(
        "listing.py",
        """
        import sys
        from basic import answer
        BEFORE = set(sys.modules) | {__name__}
        def app(environ, start_response):
            return answer(start_response, " ".join(sorted(set(sys.modules) - BEFORE)) or "nothing")
        """,
    )
    server.start("listing:app", args=["--preload", *more])
    assert server.get("/").text == "nothing"


def test_workers_hold_no_names_that_the_template_looked_up(server):
    """Python 3.11's cache of methods refers to their names; giving such a reference up writes into a page of the template."""
    server.write(
        "looked.py",
        """
        import sys
        from basic import answer
        NAME = sys.intern("_".join(["a", "name", "of", "its", "own"]))
        ALONE = sys.getrefcount(NAME)
        getattr(type("Thing", (), {})(), NAME, None)
        LOOKED_UP = sys.getrefcount(NAME)
        def app(environ, start_response):
            return answer(start_response, "%d %d %d %d" % (sys.version_info[1], ALONE, LOOKED_UP, sys.getrefcount(NAME)))
        """,
    )
    server.start("looked:app", args=["--preload"])
    version, alone, looked_up, now = map(int, server.get("/").text.split())
    if version != 11:
        pytest.skip("another Python has another cache")
    assert looked_up == alone + 1 and now == alone
