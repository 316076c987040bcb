# SPDX-License-Identifier: MIT
"""Under a service manager: sd_notify, the watchdog, and sockets that it opened for us (LISTEN_FDS)."""

import json
import os
import signal
import socket
import sys
import time

import pytest
import server as harness
from rawclient import RawClient, wait_until
from server import SLOW, is_alive, open_fds, processes_of_session

# Becomes the server with sockets as fds 3 and up, as the manager does it between fork and exec.
LAUNCHER = """\
#!{python}
import fcntl, os, sys
held = [fcntl.fcntl(int(fd), fcntl.F_DUPFD, 50) for fd in os.environ.pop("TEST_FDS").split(",")]
for number, fd in enumerate(held, 3):
    os.dup2(fd, number, inheritable=True)
os.closerange(3 + len(held), 100)
os.environ["LISTEN_PID"] = os.environ.pop("TEST_PID", str(os.getpid()))
os.environ.setdefault("LISTEN_FDS", str(len(held)))
os.execv({program!r}, [{program!r}] + sys.argv[1:])
"""

TELL_ENVIRONMENT = """
import json, os

def app(environ, start_response):
    seen = {name: os.environ.get(name) for name in ("LISTEN_PID", "LISTEN_FDS", "NOTIFY_SOCKET")}
    body = json.dumps(seen).encode()
    start_response("200 OK", [("Content-Length", str(len(body)))])
    return [body]
"""


class Manager:
    """The end of NOTIFY_SOCKET that a service manager holds."""

    def __init__(self, address):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind("\0" + address[1:] if address.startswith("@") else address)
        self.socket.settimeout(0.05)
        self.messages = []  # {"READY": "1", ...}, in the order in which they came

    def collect(self):
        end = time.monotonic() + 1  # they may come faster than the socket's time is up
        while time.monotonic() < end:
            try:
                data = self.socket.recv(65536)
            except (TimeoutError, socket.timeout):
                break
            self.messages.append(dict(line.split("=", 1) for line in data.decode().splitlines()))
        return self.messages

    def wait(self, question, since=0, timeout=20):
        """The first message after `since` for which question(message) is true, and its place."""
        found = []

        def there():
            found[:] = [(i, m) for i, m in enumerate(self.collect()) if i >= since and question(m)]
            return found

        try:
            wait_until(there, timeout * SLOW)
        except AssertionError:
            raise AssertionError(f"never came; there was {self.messages[since:]}") from None
        return found[0]

    def states(self):
        """READY, RELOADING and STOPPING in the order in which they came."""
        return [name for message in self.collect() for name in message if name in ("READY", "RELOADING", "STOPPING")]


@pytest.fixture
def manager(server):
    one = Manager(str(server.folder / "notify"))
    one.env = {"NOTIFY_SOCKET": server.folder / "notify", "WATCHDOG_USEC": None, "WATCHDOG_PID": None}
    yield one
    one.socket.close()


@pytest.fixture
def activate(server):
    """activate(sockets, ...) starts the server with these sockets; they are closed at the end."""
    held = []

    def start(sockets, program_env=None, conf=None, **arguments):
        held.extend(sockets)
        launcher = server.write("launcher", LAUNCHER.format(python=sys.executable, program=str(harness.PROGRAM)))
        launcher.chmod(0o755)
        fds = [one.fileno() for one in sockets]
        env = {"TEST_FDS": ",".join(map(str, fds)), **(program_env or {})}
        arguments.setdefault("bind", "127.0.0.1:1")  # would fail if it were used by anybody but root
        return server.start(conf=conf, env=env, program=launcher, pass_fds=fds, **arguments)

    yield start
    for one in held:
        one.close()


def listen_tcp():
    return socket.create_server(("127.0.0.1", 0))


def listen_unix(path):
    one = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    one.bind(str(path))
    one.listen(16)
    return one


def ready(message):
    return "READY" in message


# sd_notify


@pytest.mark.quick
def test_ready_comes_with_the_first_worker_and_stopping_with_the_end(server, manager):
    server.write("slow.py", "import os, time\nwhile not os.path.exists('go'):\n    time.sleep(0.01)\nfrom basic import app\n")
    server.start("slow:app", env=manager.env, workers=2, ready=False)
    server.wait_status(lambda status: len(status["workers"]) == 2)
    assert manager.collect() == []  # the application still loads
    server.write("go", "")
    _, message = manager.wait(ready)
    assert message["MAINPID"] == str(server.pid)
    assert message["STATUS"] in ("1/2 workers serving", "2/2 workers serving")
    if message["STATUS"] != "2/2 workers serving":
        manager.wait(lambda m: m.get("STATUS") == "2/2 workers serving")
    server.stop()
    at, _ = manager.wait(lambda m: "STOPPING" in m)
    assert manager.states() == ["READY", "STOPPING"]
    assert manager.messages[at]["STATUS"].startswith("Stopping, ")


def test_abstract_address(server):
    address = f"@gunwale-test-{os.getpid()}-{time.monotonic_ns()}"
    manager = Manager(address)
    server.start(env={"NOTIFY_SOCKET": address})
    assert manager.wait(ready)[1]["MAINPID"] == str(server.pid)
    manager.socket.close()


def test_a_reload_is_told_with_its_time_and_its_end(server, manager):
    server.start(env=manager.env)
    manager.wait(ready)
    before_us = time.monotonic_ns() // 1000
    server.signal("HUP")
    at, message = manager.wait(lambda m: "RELOADING" in m)
    assert before_us <= int(message["MONOTONIC_USEC"]) <= time.monotonic_ns() // 1000
    assert message["STATUS"].startswith("Reloading, ")
    _, message = manager.wait(ready, since=at)
    assert "failed" not in message["STATUS"]
    assert server.log_contains("Generation 2 serves")
    assert manager.states() == ["READY", "RELOADING", "READY"]


def test_a_failed_reload_ends_as_ready_and_says_why(server, manager):
    server.start(conf="workers = 1\n", env=manager.env)
    manager.wait(ready)
    server.write("gunicorn.conf.py", "workers = oops\n")
    server.signal("HUP")
    at, _ = manager.wait(lambda m: "RELOADING" in m)
    _, message = manager.wait(ready, since=at)
    assert "; the last reload failed: " in message["STATUS"]
    assert "oops" in message["STATUS"]
    server.write("gunicorn.conf.py", "workers = 1\n")
    server.signal("HUP")
    at, _ = manager.wait(lambda m: "RELOADING" in m, since=at + 1)
    manager.wait(lambda m: ready(m) and m["STATUS"].endswith("workers serving"), since=at)


def test_status_follows_the_number_of_workers(server, manager):
    server.start(env=manager.env, workers=1)
    at, _ = manager.wait(lambda m: m.get("STATUS") == "1/1 workers serving")
    server.signal("TTIN")
    at, _ = manager.wait(lambda m: m.get("STATUS") == "2/2 workers serving", since=at)
    server.signal("TTOU")
    manager.wait(lambda m: m.get("STATUS") == "1/1 workers serving", since=at)
    assert manager.states() == ["READY"]


def test_a_start_that_fails_is_never_ready(server, manager):
    server.spawn(["-b", "127.0.0.1:0", "broken:app"], env=manager.env)
    server.wait_exit(3)
    assert "READY" not in manager.states()


def test_watchdog_beats_at_half_the_time(server, manager):
    server.start(env={**manager.env, "WATCHDOG_USEC": "400000"})
    manager.wait(ready)

    def beats():
        return len([1 for message in manager.collect() if "WATCHDOG" in message])

    first, begun = beats(), time.monotonic()
    wait_until(lambda: beats() >= first + 5, 20 * SLOW)
    # Five intervals of 200 ms, less the one that was under way.
    assert time.monotonic() - begun >= 0.75
    if SLOW == 1:
        assert time.monotonic() - begun < 1.9


def test_no_watchdog_for_another_process(server, manager):
    server.start(env={**manager.env, "WATCHDOG_USEC": "20000", "WATCHDOG_PID": "1"})
    manager.wait(ready)
    server.get("/")
    assert not [1 for message in manager.collect() if "WATCHDOG" in message]


def test_a_manager_that_is_gone_is_a_warning(server):
    server.start(env={"NOTIFY_SOCKET": server.folder / "nobody"})
    server.wait_log(r"\[WARNING\] Can't tell the service manager \(NOTIFY_SOCKET\): No such file")
    server.signal("HUP")
    server.wait_log("Generation 2 serves")
    assert server.log_contains("Can't tell the service manager", times=1)
    assert server.get("/").code == 200


def test_an_address_that_makes_no_sense_is_a_warning(server):
    server.start(env={"NOTIFY_SOCKET": "vsock:2:1"})
    assert server.log_contains(r"\[WARNING\] NOTIFY_SOCKET is neither a path nor an abstract name: 'vsock:2:1'")
    assert server.get("/").code == 200


def test_a_manager_that_does_not_read_blocks_nobody_and_gets_all_in_the_end(server, manager):
    server.start(env={**manager.env, "WATCHDOG_USEC": "2000"})  # fills the queue soon
    server.wait_log("Listening at")
    time_to_fill = time.monotonic() + 0.5
    wait_until(lambda: time.monotonic() > time_to_fill, 5)
    assert server.get("/").code == 200
    assert manager.messages == []
    manager.wait(ready)
    assert manager.messages[0].get("WATCHDOG") == "1"


def test_the_fd_stays_in_the_master(server, manager):
    server.start(env=manager.env)
    manager.wait(ready)
    assert server.children()
    for pid in server.children():
        inodes = set(open_fds(pid).values()) & set(open_fds(server.pid).values())
        sockets = {name for name in inodes if name.startswith("socket:")}
        assert len(sockets) <= 1, sockets  # the listener


def test_daemon_under_a_manager_is_warned_about(server, manager):
    result = server.run(
        ["-b", "127.0.0.1:0", "--daemon", "--pid", "run.pid", "--error-logfile", "error.log", "basic:app"], env=manager.env
    )
    assert result.returncode == 0
    assert result.stderr == "Warning: you shouldn't specify `daemon = True` when launching by systemd with `Type = notify`\n"
    _, message = manager.wait(ready)
    pid = int(server.read("run.pid"))
    assert message["MAINPID"] == str(pid)
    session = os.getsid(pid)
    os.kill(pid, signal.SIGTERM)
    wait_until(lambda: not [p for p in processes_of_session(session) if is_alive(p)], 15 * SLOW)


# socket activation


@pytest.mark.quick
def test_serves_on_the_sockets_given_and_ignores_bind(server, activate):
    first, second = listen_tcp(), listen_unix(server.folder / "web.sock")
    server.write("tell.py", TELL_ENVIRONMENT)
    activate([first, second], app="tell:app", workers=2)
    port = first.getsockname()[1]
    assert server.listening == [f"http://127.0.0.1:{port}", f"unix:{server.folder}/web.sock"]
    for address in (("127.0.0.1", port), str(server.folder / "web.sock")):
        with RawClient(address) as client:
            assert json.loads(client.request().body) == {"LISTEN_PID": None, "LISTEN_FDS": None, "NOTIFY_SOCKET": None}


def test_connections_made_while_stopped_wait_and_the_socket_file_stays(server, activate):
    path = server.folder / "web.sock"
    kept = listen_unix(path)
    activate([kept])
    server.stop()
    assert path.is_socket()
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as waiting:
        waiting.connect(str(path))
        waiting.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        activate([kept])
        waiting.settimeout(15 * SLOW)
        assert waiting.recv(100).startswith(b"HTTP/1.1 200 OK")


def test_sockets_are_kept_over_reloads_even_when_bind_changes(server, activate):
    one = listen_tcp()
    activate([one], bind=None, conf="bind = '127.0.0.1:1'\n")
    for generation in (2, 3):
        server.write("gunicorn.conf.py", f"bind = '127.0.0.1:{generation}'\n")
        server.signal("HUP")
        server.wait_log(f"Generation {generation} serves")
        assert server.get("/").body == b"hello"
    assert server.log_contains("Listening at", times=1)


def test_a_killed_template_is_replaced_with_the_same_sockets(server, activate):
    activate([listen_tcp()])
    os.kill(server.template(), signal.SIGKILL)
    server.wait_log("replaces the one that ended")
    (old,) = server.workers()
    os.kill(old, signal.SIGKILL)
    server.wait_status(lambda status: [r["pid"] for r in status["workers"] if r["state"] == "serving"] not in ([], [old]))
    assert server.get("/").body == b"hello"


def test_sockets_meant_for_another_process_are_left_alone(server, activate):
    server.write("tell.py", TELL_ENVIRONMENT)
    activate([listen_tcp()], {"TEST_PID": "1"}, app="tell:app", bind="unix:own.sock")
    assert server.listening == ["unix:own.sock"]
    assert json.loads(server.get("/").body)["LISTEN_FDS"] == "1"


@pytest.mark.parametrize(
    ("count", "sentence"),
    [
        ("2", "LISTEN_FDS gives 2 sockets, but fd 4 can't be used: Bad file descriptor"),
        ("many", "LISTEN_FDS is no number: 'many'"),
    ],
)
def test_sockets_that_are_not_there_end_the_start(server, activate, count, sentence):
    with pytest.raises(RuntimeError):
        activate([listen_tcp()], {"LISTEN_FDS": count})
    server.wait_exit(1)
    assert sentence in server.log()


def test_activation_and_notification_together(server, manager, activate):
    activate([listen_tcp()], manager.env)
    manager.wait(ready)
    assert server.get("/").body == b"hello"
    server.stop()
    assert manager.states() == ["READY", "STOPPING"]
