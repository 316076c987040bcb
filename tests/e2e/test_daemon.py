# SPDX-License-Identifier: MIT
"""--daemon"""

import os
import signal

import pytest
from rawclient import RawClient, wait_until
from server import SLOW, is_alive, open_fds, parent_of, processes_of_session


@pytest.fixture
def daemon(server):
    """A daemon with its pidfile; gives its pid."""
    log = server.folder / "error.log"
    result = server.run(
        ["-b", "127.0.0.1:0", "--daemon", "--pid", "run.pid", "--error-logfile", "error.log"]
        + ["--status-file", server.status_path, "--status-interval", "1", "--workers", "2", "basic:app"]
    )
    assert result.returncode == 0, result
    assert result.stdout == ""
    wait_until(lambda: log.exists() and "Listening at" in log.read_text(), 20 * SLOW)
    text = log.read_text()
    server.address = ("127.0.0.1", int(text.split("Listening at: http://127.0.0.1:")[1].split()[0]))
    pid = int(server.read("run.pid"))
    session = os.getsid(pid)
    yield pid
    for process in processes_of_session(session):
        try:
            os.kill(process, signal.SIGKILL)
        except ProcessLookupError:
            pass


@pytest.mark.quick
def test_detaches_serves_and_stops(server, daemon):
    assert os.getsid(daemon) not in (os.getsid(0), daemon) or os.getsid(daemon) != os.getsid(0)
    with RawClient(server.address) as client:
        assert client.request().body == b"hello"
    fds = open_fds(daemon)
    assert fds[0] == fds[1] == fds[2] == "/dev/null"
    session = os.getsid(daemon)
    os.kill(daemon, signal.SIGTERM)
    wait_until(lambda: not is_alive(daemon), 15 * SLOW)
    wait_until(lambda: not [pid for pid in processes_of_session(session) if is_alive(pid)], 5 * SLOW)
    assert not (server.folder / "run.pid").exists()
    assert "Shutting down: Master" in server.read("error.log")


def test_winch_stops_the_workers_and_hup_brings_them_back(server, daemon):
    def serving(status):
        return len([1 for row in status["workers"] if row["state"] == "serving"])

    server.wait_status(lambda status: serving(status) == 2)
    os.kill(daemon, signal.SIGWINCH)
    server.wait_status(lambda status: status["workers"] == [])
    assert is_alive(daemon)
    assert "graceful stop of workers" in server.read("error.log")
    os.kill(daemon, signal.SIGHUP)
    server.wait_status(lambda status: serving(status) == 2)
    with RawClient(server.address) as client:
        assert client.request().body == b"hello"
    assert parent_of(daemon) != 0


def test_a_daemon_keeps_its_output_when_it_shall(server):
    """--enable-stdio-inheritance: what is no terminal stays. Without it the access log on stdout goes nowhere."""
    server.spawn(["-b", "unix:socket", "--daemon", "--pid", "run.pid", "-R", "--access-logfile", "-", "basic:app"])
    server.address = str(server.folder / "socket")
    assert server.process.wait(20 * SLOW) == 0
    wait_until(server.can_connect, 20 * SLOW)
    wait_until((server.folder / "run.pid").exists, 20 * SLOW)
    daemon = int(server.read("run.pid"))
    session = os.getsid(daemon)
    try:
        assert server.get("/").code == 200
        wait_until(lambda: '"GET / HTTP/1.1" 200' in server.out_path.read_text())
        server.wait_log("Booting worker")
        fds = open_fds(daemon)
        assert fds[0] == "/dev/null" and fds[1] == str(server.out_path) and fds[2] == str(server.log_path)
    finally:
        os.kill(daemon, signal.SIGTERM)
        wait_until(lambda: not [pid for pid in processes_of_session(session) if is_alive(pid)], 15 * SLOW)
