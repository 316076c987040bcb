# SPDX-License-Identifier: MIT
"""Worker class gevent, between src/worker/gevent.c and gevent's hub.

The hub watches the worker's epoll set. What must be known about it, deadlines and signs of life are C's business (look());
whose turn it is runs in a greenlet (turn()), one request in each at a time. A greenlet that is through is used again, as long as
nobody else has come to know it: what is tied to a greenlet, as gevent's locals are, ends with the request.

Imports gevent, so this module is imported for that class only. It must not run code of the application in the hub.
"""

import os
import re
import sys

import gevent
from gevent import monkey
from gevent.hub import Waiter

from gunwale import life

OLDEST = (24, 10)  # gunicorn 27: 24.10.1
NEEDED = "gevent worker requires gevent 24.10.1 or higher"
IDLE_MAX = 500

_state = {"is_patched": False}


def check():
    """RuntimeError with the sentence for a version that is too old."""
    parts = re.findall(r"\d+", gevent.__version__)
    if tuple(int(part) for part in parts[:2]) < OLDEST:
        raise RuntimeError(f"{NEEDED}, this is {gevent.__version__}")


def begin_worker():
    """After the fork. A preloaded application may have used the hub already."""
    patch()
    gevent.reinit()


def patch():
    """Before the application is imported. Once: the template may have done it for its workers."""
    if not _state["is_patched"]:
        _state["is_patched"] = True
        monkey.patch_all()


class Runner(gevent.Greenlet):
    """One request after the other; parked in between."""

    __slots__ = ("crew", "is_called", "is_dismissed")

    def __init__(self, crew):
        super().__init__()
        self.crew = crew
        self.is_called = True
        self.is_dismissed = False

    def _run(self):
        crew = self.crew
        while not self.is_dismissed:
            if crew.turn():
                crew.call_soon()
            if self.has_links() or self.__dict__ or len(crew.idle) >= IDLE_MAX:
                return
            self.park()

    def is_idle(self):
        """Parked: it has no request."""
        return not self.is_called

    def park(self):
        self.is_called = False
        self.crew.idle.append(self)
        while not self.is_called:
            self.crew.hub.switch()


class Crew:
    """The greenlets of one worker, and what the hub watches for them."""

    def __init__(self, woken, fired, look, has_turns, turn, poller_fd, wake_fd):
        self.woken, self.fired, self.look, self.has_turns, self.turn = woken, fired, look, has_turns, turn
        self.hub = gevent.get_hub()
        self.idle = []
        self.is_serving = False  # serve() is at work below whoever runs now
        self.soon = None
        self.copy = None  # after os.fork(): the greenlet that goes on in the new process
        self.end = Waiter(self.hub)
        loop = self.hub.loop
        self.watchers = [loop.io(poller_fd, 1), loop.io(wake_fd, 1)]
        self.timer = loop.timer(0)
        self.parked_references = None

    def run(self):
        """The main greenlet's part: waits for the end."""
        os.register_at_fork(after_in_child=self._note_copy)
        life.defer = gevent.spawn
        self.watchers[0].start(self.serve)
        self.watchers[1].start(self._take_signal)
        self.timer.start(self._take_time)
        try:
            self.end.get()
        finally:
            self._stop()

    def finish(self):
        """Any greenlet: it is over, run() may return."""
        self.hub.loop.run_callback(self._wake_main)

    def _wake_main(self):
        if not self.end.ready():
            self.end.switch(None)

    def _stop(self):
        for watcher in (*self.watchers, self.timer):
            watcher.stop()

    def _take_signal(self):
        self.woken()
        self.serve()

    def _take_time(self):
        self.fired()
        self.serve()

    def serve(self):
        """In the hub: looks what there is, and lets greenlets do it until all of them wait or nothing is left."""
        if self.copy is not None:
            return
        self.soon = None
        if self.parked_references is None:
            self.parked_references = self._count_parked_references()
        wait_ms = self.look()
        self.is_serving = True
        idle = self.idle
        try:
            while self.has_turns():
                if not idle:
                    runner = Runner(self)
                else:
                    runner = idle.pop()
                    runner.is_called = True
                    # Somebody may have it in a timer, or mean to kill it: for the request that is over.
                    runner.is_dismissed = sys.getrefcount(runner) > self.parked_references
                runner.switch()
        finally:
            self.is_serving = False
        if wait_ms is not None:
            self._arm(wait_ms)
        self.call_soon()

    def call_soon(self):
        """Turns are left, and nobody might see them."""
        if self.soon is None and not self.is_serving and self.has_turns(True):
            self.soon = self.hub.loop.run_callback(self.serve)

    def _arm(self, wait_ms):
        self.timer.stop()
        self.timer.close()
        self.timer = self.hub.loop.timer(wait_ms / 1000)
        self.timer.start(self._take_time)

    def _count_parked_references(self):
        """How often one is known that is parked and is nobody else's, looked at as in serve()."""
        turn, self.turn = self.turn, bool
        runner = Runner(self)
        runner.switch()
        del runner
        runner = self.idle.pop()
        count = sys.getrefcount(runner)
        self.turn = turn
        self.idle.append(runner)
        return count

    def wait(self, fd, is_write, seconds):
        """
        For C inside a request: parks this greenlet until the client is ready. False: time is up.

        The application may have handed the request to a greenlet that outlives it. libev ends the process when it meets a
        watcher of a closed descriptor: so this one is our own.
        """
        wait = gevent.socket.wait_write if is_write else gevent.socket.wait_read
        fd = os.dup(fd)
        try:
            wait(fd, seconds, TimeoutError())
        except TimeoutError:
            return False
        finally:
            os.close(fd)
            if self.copy is not None:
                self.hold_copy()
        return True

    def give_way(self):
        gevent.sleep(0)

    def _note_copy(self):
        self.copy = gevent.getcurrent()
        self._stop()

    def hold_copy(self):
        """os.fork() copies all greenlets: those that did not call it have no business in the new process."""
        while gevent.getcurrent() is not self.copy:
            self.hub.switch()
