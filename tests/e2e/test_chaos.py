# SPDX-License-Identifier: MIT
"""Everything at once: killed processes, reloads, broken files, another number of workers, a second master, under load.

Afterwards all is as before.

GUNWALE_CHAOS_SECONDS makes it last longer, GUNWALE_CHAOS_SEED repeats a run.
"""

import contextlib
import os
import random
import re
import signal
import time

import pytest
from load import Load
from rawclient import wait_until
from server import PROGRAM, SLOW, open_fds, processes_of_session, title

SECONDS = float(os.environ.get("GUNWALE_CHAOS_SECONDS", "8"))
SEED = int(os.environ.get("GUNWALE_CHAOS_SEED", time.time_ns() % 1_000_000))
CONF = "workers = 3\ngraceful_timeout = 2\n"
BROKEN = ["raise SystemExit('broken')\n", "workers = 'many'\n", "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)\n"]
# These crashes are on purpose: a sanitizer is not to report them.
NO_REPORTS = {"ASAN_OPTIONS": "handle_segv=0:handle_abort=0", "TSAN_OPTIONS": "handle_segv=0"}
APP = "from basic import app\n"
BROKEN_APPS = ["import os\nos._exit(1)\n", "raise RuntimeError('broken')\n", "def app(:\n"]

pytestmark = pytest.mark.slow


class Chaos:
    def __init__(self, server):
        self.server = server
        self.random = random.Random(SEED)

    def kill(self, kind):
        pids = [pid for pid in self.server.children() if kind in title(pid)]
        if pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.random.choice(pids), self.random.choice([signal.SIGKILL, signal.SIGSEGV, signal.SIGTERM]))

    def send(self, *names):
        for _ in range(self.random.choice([1, 1, 1, 5])):
            self.server.signal(self.random.choice(names))

    def break_files(self):
        """And reloads, so that somebody meets them."""
        if self.random.random() < 0.5:
            self.server.write("gunicorn.conf.py", self.random.choice(BROKEN))
        else:
            self.server.write("chaotic.py", self.random.choice(BROKEN_APPS))
        self.server.signal("HUP")

    def mend_files(self):
        self.server.write("gunicorn.conf.py", CONF)
        self.server.write("chaotic.py", APP)

    def step(self):
        what = self.random.choices(
            [
                lambda: self.kill("worker ["),
                lambda: self.kill("template"),
                lambda: self.send("HUP"),
                lambda: self.send("TTIN", "TTOU"),
                lambda: self.send("USR1", "WINCH", "CHLD"),  # USR2 leaves a second master: test_upgrade.py
                self.break_files,
                self.mend_files,
            ],
            weights=[6, 2, 4, 4, 1, 2, 3],
        )[0]
        what()


def rest_of(server):
    """What must be the same before and after: kinds of the master's fds and its children."""
    fds = sorted(re.sub(r"\d+/statm$|:.*", "", name) for name in open_fds(server.pid).values())
    children = sorted(title(pid) for pid in server.children())
    return fds, children


def second_masters(server):
    """What SIGUSR2 started, also while it is about to get its name."""
    return [pid for pid in server.children() if "master" in title(pid) or title(pid).startswith(f"{PROGRAM} ")]


@pytest.mark.parametrize("preload", [False, True])
def test_after_chaos_all_is_as_before(server, preload):
    print(f"GUNWALE_CHAOS_SEED={SEED}")
    server.write("chaotic.py", APP)
    server.start("chaotic:app", conf=CONF, args=["--preload"] if preload else [], env=NO_REPORTS)
    server.wait_workers(3)
    chaos = Chaos(server)
    before = rest_of(server)
    end = time.monotonic() + SECONDS
    with Load(server.address, clients=4, target="/pid") as load:
        while time.monotonic() < end:
            chaos.step()
            pause = time.monotonic() + chaos.random.uniform(0, 0.3)
            wait_until(lambda: time.monotonic() > pause)  # noqa: B023
        load.stop()
    assert load.count > 100
    chaos.mend_files()

    def is_settled():
        # It writes the same status file, so it goes first.
        for pid in second_masters(server):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)
            return False
        status = server.status()
        if status["server"]["pid"] != server.pid or status["reload"]["state"] != "idle" or status["templates"] != 1:
            return False
        return len(status["workers"]) == status["workers_target"] and all(row["state"] == "serving" for row in status["workers"])

    wait_until(is_settled, 60 * SLOW, what="quiet")
    generation = server.status()["server"]["generation"]
    server.signal("HUP")
    server.wait_status(lambda status: status["server"]["generation"] > generation and status["workers_target"] == 3)
    server.wait_workers(3)

    # A reload that was asked for before the last one may still follow it, so all of this is asked until it holds.
    def is_as_before():
        processes = processes_of_session(server.pid)
        expected = {server.pid, server.template(), *server.workers()}
        return "Z" not in processes.values() and set(processes) == expected and rest_of(server) == before

    wait_until(is_as_before, 30 * SLOW, what=f"{rest_of(server)} {processes_of_session(server.pid)}, not {before}")
    assert server.get("/").code == 200
    server.stop()
    assert not server.can_connect()
