# SPDX-License-Identifier: MIT
"""What each signal to the master does."""

import time

import pytest
from rawclient import wait_until

pytestmark = pytest.mark.quick


def begin_slow(server, seconds=None):
    """A request that the application works on until `server.folder/go` exists. Returns the connection."""
    mark = server.folder / "mark"
    mark.unlink(missing_ok=True)
    client = server.raw(timeout=30)
    if seconds is None:
        client.send_request("GET", f"/wait?until={server.folder}/go&mark={mark}")
    else:
        client.send_request("GET", f"/sleep?s={seconds}&mark={mark}")
    wait_until(lambda: mark.exists() and mark.read_text())
    return client


def go(server):
    (server.folder / "go").touch()


@pytest.mark.parametrize("name", ["TERM", "INT", "QUIT"])
def test_ends_with_0_and_frees_the_port(server, name):
    server.start(workers=2)
    server.signal(name)
    server.wait_exit(0)
    assert server.log_contains(rf"\[INFO\] Handling signal: {name.lower()}$", times=1)
    assert server.log_contains(r"\[INFO\] Worker exiting \(pid: \d+\)$", times=2)
    assert server.log_contains(r"\[INFO\] Shutting down: Master$", times=1)
    assert not server.can_connect()
    assert not server.log_contains(r"\[(ERROR|CRITICAL)\]")


def test_debug_lines_of_a_start_and_a_stop_are_gunicorns(server):
    server.start(workers=2, args=["--log-level", "debug"])
    server.wait_log(r"\[DEBUG\] 2 workers$")
    server.signal("TTIN")
    server.wait_log(r"\[DEBUG\] 3 workers$")
    wait_until(lambda: len(server.workers()) == 3)
    server.stop()
    assert server.log_contains(r"\[DEBUG\] \d+ workers$", times=2)
    assert not server.log_contains(r"Handling signal: chld$")


def test_start_lines_stand_in_gunicorns_order(server):
    server.start(workers=1)
    server.stop()
    patterns = [
        r"\[INFO\] Starting gunwale \d",
        r"\[INFO\] Listening at: http://127\.0\.0\.1:\d+ \(\d+\)$",
        r"\[INFO\] Using worker: sync$",
        r"\[INFO\] Booting worker with pid: \d+$",
        r"\[INFO\] Handling signal: term$",
        r"\[INFO\] Worker exiting \(pid: \d+\)$",
        r"\[INFO\] Shutting down: Master$",
    ]
    places = [server.wait_log(pattern).start() for pattern in patterns]
    assert places == sorted(places)


def test_term_lets_a_running_request_finish(server):
    server.start()
    client = begin_slow(server)
    server.signal("TERM")
    server.wait_log("Handling signal: term")
    go(server)
    assert client.read_response().code == 200
    server.wait_exit(0)


def test_term_answers_what_was_accepted_and_sent(server):
    """Requests that reached the worker's sockets before the signal are answered, not dropped."""
    server.start()
    slow = begin_slow(server)
    waiting = [server.raw(timeout=30) for _ in range(5)]
    for client in waiting:
        client.send_request()
    server.signal("TERM")
    server.wait_log("Handling signal: term")
    go(server)
    assert slow.read_response().code == 200
    server.wait_exit(0)


def test_term_closes_idle_keep_alive_connections_at_once(server):
    server.start(args=["--keep-alive", "60"])
    with server.raw() as client:
        client.request()
        begun = time.monotonic()
        server.signal("TERM")
        client.expect_close()
        server.wait_exit(0)
        assert time.monotonic() - begun < 10


def test_graceful_timeout_ends_in_a_kill(server):
    server.start(args=["--graceful-timeout", "1"])
    begin_slow(server)
    begun = time.monotonic()
    server.signal("TERM")
    server.wait_exit(0)
    assert 0.8 < time.monotonic() - begun < 10


def test_int_during_a_graceful_stop_hurries(server):
    server.start()
    begin_slow(server)
    server.signal("TERM")
    server.wait_log("Handling signal: term")
    server.signal("INT")
    server.wait_exit(0, timeout=10)


def test_int_does_not_wait_for_requests(server):
    server.start()
    begin_slow(server)
    begun = time.monotonic()
    server.signal("INT")
    server.wait_exit(0)
    assert time.monotonic() - begun < 10


def test_ttin_and_ttou_change_the_number_of_workers(server):
    server.start(workers=1)
    (first,) = server.workers()
    server.signal("TTIN")
    server.wait_log("Handling signal: ttin")
    assert len(server.wait_workers(2)) == 2
    server.signal("TTIN")
    three = server.wait_workers(3)
    server.signal("TTOU")
    server.wait_log("Handling signal: ttou")
    two = server.wait_workers(2)
    assert set(two) == set(three) - {first}, "the oldest leaves"
    server.signal("TTOU")
    (one,) = server.wait_workers(1)
    mark = server.mark()
    server.signal("TTOU")
    server.wait_log("Handling signal: ttou", since=mark)
    assert server.get("/").code == 200
    assert server.wait_workers(1) == [one], "never below one"


def test_ttou_lets_the_running_request_finish(server):
    server.start(workers=2)
    client = begin_slow(server)
    server.signal("TTOU")
    server.wait_log("Handling signal: ttou")
    go(server)
    assert client.read_response().code == 200
    server.wait_workers(1)


def test_a_server_hook_signals_the_server_by_its_own_pid(server):
    server.start(
        workers=1,
        conf="""
        import os, signal
        def when_ready(server):
            os.kill(os.getpid(), signal.SIGTTIN)
            os.kill(os.getpid(), signal.SIGHUP)
        """,
    )
    server.wait_log("Handling signal: ttin")
    server.wait_log("Handling signal: hup")
    assert server.get("/").code == 200


def test_signals_of_others_do_nothing_to_a_template(server):
    server.start(workers=1)
    template = server.template()
    for name in ("TERM", "INT", "QUIT", "HUP", "TTIN", "TTOU", "USR1", "USR2", "WINCH"):
        server.signal(name, template)
    server.signal("TTIN")
    server.wait_workers(2)
    assert server.template() == template
    assert server.log_contains("Handling signal", times=1)


def test_winch_is_ignored_when_not_a_daemon(server):
    server.start(args=["--log-level", "debug"])
    server.signal("WINCH")
    server.wait_log(r"SIGWINCH ignored\. Not daemonized")
    assert server.get("/").code == 200


def test_usr1_opens_the_log_files_again(server):
    error, access = server.folder / "error.log", server.folder / "access.log"
    server.spawn(
        ["-b", "127.0.0.1:0", "--error-logfile", error, "--access-logfile", access, "--status-file", server.status_path, "basic:app"]
    )
    wait_until(lambda: error.exists() and "Listening at" in error.read_text())
    port = error.read_text().split("Listening at: http://127.0.0.1:")[1].split()[0]
    server.address = ("127.0.0.1", int(port))
    server.wait_ready()
    assert server.get("/?before").code == 200
    wait_until(lambda: "before" in access.read_text())
    error.rename(server.folder / "error.old")
    access.rename(server.folder / "access.old")
    server.signal("USR1")
    wait_until(lambda: error.exists() and access.exists())

    # The workers open theirs as soon as the signal reaches them.
    def arrived():
        server.get("/?after")
        return "after" in access.read_text()

    wait_until(arrived)
    server.signal("TTIN")
    wait_until(lambda: "Handling signal: ttin" in error.read_text())
    wait_until(lambda: "Booting worker" in error.read_text())
    server.stop()
    assert "Shutting down: Master" in error.read_text()
    assert "Shutting down: Master" not in (server.folder / "error.old").read_text()


def test_worker_survives_hup_winch_and_usr2(server):
    server.start()
    (worker,) = server.workers()
    for name in ("HUP", "WINCH", "USR2", "USR1"):
        server.signal(name, worker)
    assert server.get("/pid").text == str(worker)


@pytest.mark.parametrize("name", ["TERM", "QUIT", "INT"])
def test_signal_to_a_worker_replaces_it(server, name):
    server.start(workers=2)
    old = server.workers()
    server.signal(name, old[0])
    server.wait_status(lambda status: old[0] not in [row["pid"] for row in status["workers"]])
    new = server.wait_workers(2)
    assert old[1] in new and old[0] not in new
    assert server.get("/").code == 200


def test_term_to_a_worker_loses_no_request(server):
    server.start(workers=1)
    (old,) = server.workers()
    client = begin_slow(server)
    server.signal("TERM", old)
    go(server)
    assert client.read_response().text == f"waited in {old}"
    server.wait_status(lambda status: old not in [row["pid"] for row in status["workers"]])
    assert server.get("/").code == 200


def test_applications_may_install_their_own_handlers(server):
    server.write(
        "handlers.py",
        """
        import signal
        from basic import app as inner

        def app(environ, start_response):
            if environ["PATH_INFO"] == "/install":
                signal.signal(signal.SIGTERM, lambda *unused: open("term-seen", "w").close())
            return inner(environ, start_response)
        """,
    )
    server.start("handlers:app")
    (worker,) = server.workers()
    assert server.get("/install").code == 404
    server.signal("TERM", worker)
    wait_until((server.folder / "term-seen").exists)
    assert server.get("/pid").text == str(worker)
    server.signal("INT")
    server.wait_exit(0)
