# SPDX-License-Identifier: MIT
"""What applications do under worker class gevent, with the real package."""

import contextvars
import os
import socket
import subprocess
import threading
import time
import weakref

import gevent
from basic import answer, query
from parallel import app as parallel_app

CROWD = 100
crowd = {"count": 0, "waiter": threading.Barrier(CROWD)}
fired = {"spawn_later": 0, "Timer": 0, "import": 0}
forks = {"begun": False}
local = threading.local()
variable = contextvars.ContextVar("variable", default="unset")
greenlets = {"gone": 0, "known": {}}


ROUTES = {}


def app(environ, start_response):
    return ROUTES.get(environ["PATH_INFO"], parallel_app)(environ, start_response)


def here(path):
    def keep(function):
        ROUTES[path] = function
        return function

    return keep


@here("/crowd")
def meet(environ, start_response):
    """Nobody gets through before all have come."""
    how = query(environ, "how")
    crowd["count"] += 1
    if how == "barrier":
        crowd["waiter"].wait(60)
    while crowd["count"] < CROWD:
        (gevent.sleep if how == "gevent" else time.sleep)(0.01)
    return answer(start_response, "together")


@here("/here")
def tell_background(environ, start_response):
    """What was spawned when the module was imported goes on in each worker."""
    before = fired["import"]
    while fired["import"] == before:
        time.sleep(0.01)
    return answer(start_response, str(os.getpid()))


def tick():
    while True:
        fired["import"] += 1
        gevent.sleep(0.01)


@here("/remote")
def ask_remote(environ, start_response):
    import requests

    return answer(start_response, requests.get(query(environ, "url"), timeout=60).text)


@here("/locals")
def use_locals(environ, start_response):
    """What an earlier request left behind."""
    seen = f"{getattr(local, 'name', 'unset')} {getattr(gevent.getcurrent(), 'name_of_request', 'unset')} {variable.get()}"
    local.name = gevent.getcurrent().name_of_request = "mine"
    variable.set("mine")
    time.sleep(0.001)
    assert local.name == gevent.getcurrent().name_of_request == variable.get() == "mine"
    return answer(start_response, seen)


@here("/reuse")
def count_greenlets(environ, start_response):
    """How many greenlets of earlier requests are no more."""

    def note_end(_reference):
        greenlets["gone"] += 1

    with gevent.Timeout(60):
        time.sleep(0.001)
    current = gevent.getcurrent()
    greenlets["known"].setdefault(id(current), weakref.ref(current, note_end))
    return answer(start_response, str(greenlets["gone"]))


@here("/timers")
def start_timers(environ, start_response):
    def fire(name):
        fired[name] += 1

    gevent.spawn_later(0.2, fire, "spawn_later")
    threading.Timer(0.2, fire, ("Timer",)).start()
    return answer(start_response, "started")


@here("/fired")
def show_timers(environ, start_response):
    return answer(start_response, f"{fired['spawn_later']} {fired['Timer']}")


@here("/mark-later")
def mark_later(environ, start_response):
    gevent.spawn_later(0.3, lambda: open("later", "w").close())
    return answer(start_response, "started")


@here("/background")
def start_background(environ, start_response):
    def work():
        while True:
            gevent.sleep(0.01)

    gevent.spawn(work)
    return answer(start_response, "started")


@here("/leave-a-timeout")
def leave_timeout(environ, start_response):
    """A bug of the application: the timeout is of a greenlet whose request is over."""
    gevent.Timeout(0.2).start()
    return answer(start_response, "left")


@here("/timeout")
def run_out(environ, start_response):
    try:
        with gevent.Timeout(0.05):
            time.sleep(60)
    except gevent.Timeout:
        return answer(start_response, "timed out")


@here("/exit-greenlet")
def exit_greenlet(environ, start_response):
    gevent.getcurrent().kill()


@here("/events")
def stream_events(environ, start_response):
    """As Server-Sent Events are made."""

    def make():
        current = gevent.getcurrent()
        for number in range(int(query(environ, "n"))):
            gevent.sleep(0.01)
            assert gevent.getcurrent() is current
            yield b"data: %d\n\n" % number

    start_response("200 OK", [("Content-Type", "text/event-stream")])
    return make()


@here("/children")
def use_children(environ, start_response):
    """Thread pool, resolver, child process, fork."""
    pooled = gevent.get_hub().threadpool.apply(lambda: threading.get_ident)
    address = socket.getaddrinfo("127.0.0.1", 80)[0][4][0]
    text = subprocess.run(["echo", "child"], stdout=subprocess.PIPE, check=True).stdout.decode().strip()
    return answer(start_response, f"{callable(pooled)} {address} {text}")


@here("/await-fork")
def await_fork(environ, start_response):
    while not forks["begun"]:
        time.sleep(0.01)
    return answer(start_response, "forked")


@here("/fork")
def fork(environ, start_response):
    """The child lets its copy of the hub run, where the other requests are copies, too."""
    forks["begun"] = True
    pid = os.fork()
    if pid == 0:
        gevent.sleep(0.3)
        open("child-went-on", "w").close()
        if query(environ, "returns"):
            return answer(start_response, "from the child")
        os._exit(3)
    return answer(start_response, str(os.waitpid(pid, 0)[1] >> 8))


@here("/spin")
def spin(environ, start_response):
    open("spinning", "w").close()
    while True:
        pass


if os.environ.get("SPAWN_AT_IMPORT"):
    gevent.spawn(tick)
    gevent.sleep(0.02)
    gevent.get_hub().threadpool.apply(len, ("",))
