# SPDX-License-Identifier: MIT
"""
The incidents of examples/incidents in a real memory cgroup of 256 MB: nobody is killed, and no bystander notices. And healthy
applications, for which nothing must be done.
"""

import fcntl
import os
import pathlib
import resource
import subprocess
import sys
import tempfile
import time

import pytest
from rawclient import SLOW
from server import HERE

INCIDENTS = pathlib.Path(os.environ.get("GUNWALE_SOURCE", HERE.parent.parent)) / "examples" / "incidents"
sys.path.append(str(INCIDENTS / "lib"))

import catalogue  # noqa: E402
from container import Container, Unavailable  # noqa: E402
from outside import Observer, run_load, start_upstream  # noqa: E402

MB = 1024 * 1024
LIMIT_BYTES = 256 * MB
SECONDS = 8
HEALTHY_SECONDS = 7  # longer than a crossing must last before something is done
# Where even the requests that make the memory grow are answered, or ended on purpose, but never lost.
LOSSLESS = ("02-forgotten-connection", "03-short-ttl", "04-growing-state", "07-limiter-memory", "09-which-memory")


@pytest.fixture
def container():
    """One at a time on this machine: two would measure each other."""
    with open(os.path.join(tempfile.gettempdir(), "gunwale-incidents.lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        try:
            made = Container(f"gunwale-e2e-{os.getpid()}", LIMIT_BYTES)
        except Unavailable as why:
            pytest.skip(f"NO MEMORY CGROUP HERE, SO NO INCIDENT WAS TRIED: {why}")
        try:
            yield made
        finally:
            made.close()


@pytest.fixture
def observed(container):
    observer = Observer(container)
    observer.start()
    yield observer
    observer.stop()


def start(server, container, app, args, env=None):
    """Inside the container, and with as many descriptors as in one."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]

    def enter():
        container.enter()
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))

    server.start(app, args=args, env=env, preexec_fn=enter)
    assert server.pid in container.pids()


def url_of(server):
    return "http://%s:%d" % server.address


def assert_held(server, container, observed):
    """The kernel killed nobody, the limit was not reached, the server that was started answers."""
    assert container.oom_kills() == 0, server.log_tail()
    assert server.is_running()
    assert server.get("/ping").code == 200
    observed.stop()
    assert observed.highest["total_bytes"] < LIMIT_BYTES, f"{observed.highest}\n{server.log_tail()}"


@pytest.fixture
def upstream_of():
    started = []

    def begin(incident):
        process, address = start_upstream(incident)
        started.extend([process] if process else [])
        return address

    yield begin
    for process in started:
        process.stdin.close()
        process.wait(10)
        process.stdout.close()


@pytest.mark.parametrize("name", list(catalogue.OPTIONS))
def test_an_incident_is_contained(name, container, observed, server, packages, upstream_of):
    incident = catalogue.find(name)
    wanted = "flask_limiter" if name == "07-limiter-memory" else "flask"
    if subprocess.run([f"{packages}/bin/python", "-c", f"import {wanted}"], capture_output=True, check=False).returncode != 0:
        pytest.skip(f"{packages} has no {wanted}")
    if (incident / "prepare.py").exists():
        subprocess.run([sys.executable, str(incident / "prepare.py"), str(server.folder)], check=True)
    upstream = upstream_of(incident)
    env = {"VIRTUAL_ENV": packages, "UPSTREAM": upstream, "DATA": server.folder, "TMPDIR": server.folder}
    env.update(catalogue.ENVIRONMENT.get(name, {}))
    start(server, container, "app:app", [*catalogue.server_options(incident), "--chdir", incident], env)

    load = run_load(incident, url_of(server), upstream, SECONDS)

    assert_held(server, container, observed)
    # Small numbers would prove nothing.
    assert load["innocents"]["requests"] > SECONDS * 20
    assert load["innocents"]["failed_total"] == 0, f"{load}\n{server.log_tail()}"
    if name in LOSSLESS:
        assert load["offenders"]["failed_total"] == 0, f"{load}\n{server.log_tail()}"


# Healthy applications


def assert_left_alone(server, container, observed, workers):
    """The same workers serve, and nothing but the mildest remedy was used."""
    assert_held(server, container, observed)
    status = server.wait_status(lambda status: len(status["workers"]) >= len(workers))
    assert server.workers() == workers, server.log_tail()
    assert status["recycles"] == []
    assert sum(status["exits_total"].values()) == 0
    remedies = [row["last_remedy"] for row in status["workers"] if row["last_remedy"]]
    assert {remedy["name"] for remedy in remedies} <= {"trim"}, server.log_tail()


def ask_for(server, seconds, target):
    """Requests one after the other for so long, on one connection; target(number) names them. Each must succeed."""
    end = time.monotonic() + seconds
    number = 0
    with server.raw() as client:
        while time.monotonic() < end:
            assert client.request("GET", target(number)).code == 200
            number += 1
    return number


@pytest.fixture
def healthy(container, observed, server):
    def begin(*args, held_mb=0):
        start(server, container, "healthy:app", ["-k", "gthread", "--threads", "16", *args], {"HEALTHY_HELD_MB": held_mb})
        return server.workers()

    return begin


def test_a_cache_that_fills_and_stays_full_is_no_leak(healthy, container, observed, server):
    workers = healthy("--workers", "2")
    for number in range(600):  # with new connections, so that both workers fill theirs
        assert server.get(f"/page?number={number}").code == 200
    ask_for(server, HEALTHY_SECONDS, lambda number: "/ping" if number % 2 else f"/page?number={number}")
    assert_left_alone(server, container, observed, workers)


@pytest.mark.parametrize("args", [["--workers", "2", "--preload"], ["--workers", "1"]], ids=["preloaded", "one_worker"])
def test_a_big_but_steady_application_is_left_alone(args, healthy, container, observed, server):
    """60 % of the limit from its start; one worker of such a size has no room for a successor."""
    workers = healthy(*args, held_mb=LIMIT_BYTES * 6 // 10 // MB - 25)
    ask_for(server, HEALTHY_SECONDS, lambda number: "/ping")
    assert_left_alone(server, container, observed, workers)


def test_a_short_burst_is_left_alone(healthy, container, observed, server):
    workers = healthy("--workers", "2")
    ask_for(server, HEALTHY_SECONDS, lambda number: "/ping" if number % 10 else "/burst")
    assert_left_alone(server, container, observed, workers)


def test_slow_listeners_to_events_are_left_alone(healthy, container, observed, server):
    """Twelve that read nothing: what waits for them is far below the budget."""
    workers = healthy("--workers", "2")
    listeners = [server.raw(receive_buffer=4096) for _ in range(12)]
    try:
        for listener in listeners:
            listener.send(f"GET /events?seconds={HEALTHY_SECONDS * SLOW} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        ask_for(server, HEALTHY_SECONDS, lambda number: "/ping")
        for listener in listeners:
            assert not listener.is_closed_by_server()
    finally:
        for listener in listeners:
            listener.close()
    assert_left_alone(server, container, observed, workers)
