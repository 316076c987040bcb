# SPDX-License-Identifier: MIT
"""What a request is ended with when it uses too much memory, and how class gevent finds the one that does.

An application may catch RequestMemoryExceeded like any MemoryError. Called by src/worker/chores.c on the main thread.
"""

import gc
import resource
import signal
import time

TEXT = "the request used too much memory"


class RequestMemoryExceeded(MemoryError):
    """This request used more memory than there is for it."""

    def __init__(self, text=TEXT):
        super().__init__(text)


class RequestMemoryKill(BaseException):
    """The same for a request that has swallowed the first one: `except Exception` does not catch it."""

    def __init__(self, text=TEXT):
        super().__init__(text)


_watch = None
WATCH_SECONDS = 1  # it ends by itself, should nobody ask what it saw


def take_signal(number, handler):
    """Blocking calls shall come back for it."""
    signal.signal(number, handler)


def collect():
    """How many objects were unreachable."""
    return gc.collect()


def _faults():
    return resource.getrusage(resource.RUSAGE_THREAD).ru_minflt


class _Watch:
    """Counts page faults, which is what growth is made of, for each greenlet from switch to switch."""

    def __init__(self, greenlet):
        self.greenlet = greenlet
        self.faults = {}
        self.last = _faults()
        self.until = time.monotonic() + WATCH_SECONDS
        self.previous = greenlet.settrace(self._trace)

    def _count(self, who):
        now = _faults()
        entry = self.faults.setdefault(id(who), [who, 0])
        entry[1] += now - self.last
        self.last = now

    def _trace(self, event, args):
        if event in ("switch", "throw"):
            self._count(args[0])
        if self.previous is not None:
            self.previous(event, args)
        if time.monotonic() > self.until:
            self.stop()

    def stop(self):
        global _watch
        self.greenlet.settrace(self.previous)
        _watch = None

    def end(self):
        """Greenlets, the most faults first."""
        self._count(self.greenlet.getcurrent())
        self.stop()
        return [who for who, count in sorted(self.faults.values(), key=lambda entry: -entry[1]) if count > 0]


def watch():
    """Class gevent: begins to count."""
    global _watch
    if _watch is None:
        import greenlet

        _watch = _Watch(greenlet)


def abort(insists, is_inside):
    """
    Class gevent: ends the request that grew since watch(). None: there is none; True: it will get the exception; an exception
    type: the caller shall raise it, as it is the one that runs now.
    """
    import gevent

    kind = RequestMemoryKill if insists else RequestMemoryExceeded
    hub = gevent.get_hub()
    current = gevent.getcurrent()
    seen = _watch.end() if _watch is not None else []
    # The one that runs now, if nobody has touched a new page since.
    for who in [*seen, current]:
        who = _request_of(who)
        if who is None:
            continue
        if who is current:
            if is_inside:  # and not in code of ours, or C had not called
                return kind
            continue
        hub.loop.run_callback(_throw, who, kind)
        return True
    return None


def _request_of(who):
    """The greenlet whose request this one works for: itself, or the one that has spawned it. None: it works for no request."""
    from gunwale import geventloop

    while who is not None and not isinstance(who, geventloop.Runner):
        spawner = getattr(who, "spawning_greenlet", None)
        who = spawner() if spawner is not None else None
    return None if who is None or who.dead or who.is_idle() else who


def _throw(who, kind):
    """In the hub. It may have ended, or have been parked, meanwhile."""
    if _request_of(who) is who:
        who.throw(kind())
