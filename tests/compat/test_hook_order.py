# SPDX-License-Identifier: MIT
"""The same life led by gunicorn and by gunwale: each hook runs as often, in the same kind of process, in the same order.

Compared are the hooks of the whole server, and those around each worker, which are ordered by cause also where they run in
different processes. Which of two workers is faster is not compared. Variables: see test_cli.py.
"""

import os
import signal
import socket
import subprocess
import time

import pytest
from test_cli import CLEARED, GUNICORN, GUNWALE, pytestmark  # noqa: F401

SLOW = float(os.environ.get("GUNWALE_SLOW", "1"))
SERVER = "on_starting on_reload when_ready on_exit".split()
ABOUT_A_WORKER = "pre_fork post_fork worker_exit child_exit".split()
IN_A_WORKER = "post_worker_init worker_int worker_abort".split()

CONF = """
import os
bind = "unix:socket"
control_socket_disable = True
graceful_timeout = 20

def note(name, age, worker_pid):
    # worker_pid: None for hooks of the server, which no worker may run.
    where = "worker" if worker_pid == os.getpid() else "server"
    with open("events", "a") as file:
        file.write(f"{age} {name} {where} {os.getpid()}\\n")

def nworkers_changed(server, new, old):
    note(f"nworkers_changed({new},{old})", 0, None)

def pre_request(worker, req):
    note(f"pre_request({req.path})", worker.age, worker.pid)

def post_request(worker, req, environ, resp):
    note(f"post_request({req.path},{getattr(resp, 'status_code', None)})", worker.age, worker.pid)
"""
for name in SERVER:
    CONF += f"\ndef {name}(server):\n    note('{name}', 0, None)\n"
for name in ABOUT_A_WORKER:
    CONF += f"\ndef {name}(server, worker):\n    note('{name}', worker.age, worker.pid)\n"
for name in IN_A_WORKER:
    CONF += f"\ndef {name}(worker):\n    note('{name}', worker.age, worker.pid)\n"

APP = """
import time

def app(environ, start_response):
    while environ["PATH_INFO"] == "/stuck":
        time.sleep(0.05)
    start_response("200 OK", [("Content-Length", "2")])
    return [b"ok"]
"""


def wait_until(question):
    end = time.monotonic() + 30 * SLOW
    while time.monotonic() < end:
        answer = question()
        if answer:
            return answer
        time.sleep(0.02)
    raise AssertionError("waited in vain")


class Life:
    """One server from its start to its end."""

    def __init__(self, command, folder, conf):
        folder.mkdir()
        (folder / "gunicorn.conf.py").write_text(CONF + conf)
        (folder / "app.py").write_text(APP)
        self.folder = folder
        env = {name: value for name, value in os.environ.items() if name not in CLEARED}
        with (folder / "log").open("w") as log:
            self.process = subprocess.Popen(
                [*command, "app:app"], cwd=folder, env=env, stdout=log, stderr=log, start_new_session=True
            )

    def lines(self):
        path = self.folder / "events"
        return [line.split() for line in path.read_text().splitlines()] if path.exists() else []

    def wait(self, age, name):
        """The pid of the process that ran the hook."""
        return wait_until(lambda: [int(line[3]) for line in self.lines() if line[0] == str(age) and line[1] == name])[0]

    def send(self, number):
        self.process.send_signal(number)

    def ask(self, path):
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(30 * SLOW)
            client.connect(str(self.folder / "socket"))
            client.sendall(f"GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n".encode())
            while client.recv(4096):
                pass

    def end(self, number=signal.SIGTERM):
        self.send(number)
        assert self.process.wait(30 * SLOW) == 0, (self.folder / "log").read_text()

    def hooks(self):
        """{age of the worker, 0 for the server: ["hook where", ...]}"""
        found = {}
        for age, name, where, _pid in self.lines():
            found.setdefault(int(age), []).append(f"{name} {where}")
        return found


def serve_one(life):
    life.wait(1, "post_worker_init")
    life.ask("/one")
    life.wait(1, "post_request(/one,200)")


def live_and_term(life):
    serve_one(life)
    life.end()


def live_and_int(life):
    serve_one(life)
    life.end(signal.SIGINT)


def live_and_quit(life):
    serve_one(life)
    life.end(signal.SIGQUIT)


def more_and_less(life):
    life.wait(1, "post_worker_init")
    life.send(signal.SIGTTIN)
    life.wait(2, "post_worker_init")
    life.send(signal.SIGTTOU)
    life.wait(1, "child_exit")
    life.end()


def reload(life):
    life.wait(1, "post_worker_init")
    life.send(signal.SIGHUP)
    life.wait(1, "child_exit")
    life.wait(2, "post_worker_init")
    life.end()


def killed_worker(life):
    os.kill(life.wait(1, "post_worker_init"), signal.SIGKILL)
    life.wait(1, "child_exit")
    life.wait(2, "post_worker_init")
    life.end()


def recycled_worker(life):
    serve_one(life)
    life.wait(1, "child_exit")
    life.wait(2, "post_worker_init")
    life.end()


def stuck_worker(life):
    life.wait(1, "post_worker_init")
    life.ask("/stuck")
    life.wait(1, "child_exit")
    life.wait(2, "post_worker_init")
    life.end()


# Wanted differences: name of the life, then what is changed in both servers' hooks before they are compared.
def without_status_of_the_aborted(hooks):
    """Of an aborted request gunwale's hook sees the 500 that the client gets; in gunicorn it runs before there is a status."""
    hooks[1] = [hook.replace("(/stuck,500)", "(/stuck,None)") for hook in hooks[1]]
    assert sum(hook.startswith("post_request(/stuck,None)") for hook in hooks[1]) == 1


LIVES = {
    "term": (live_and_term, ""),
    "int": (live_and_int, ""),
    "quit": (live_and_quit, ""),
    "ttin and ttou": (more_and_less, ""),
    "hup": (reload, ""),
    "worker killed": (killed_worker, ""),
    "max_requests": (recycled_worker, "max_requests = 1\n"),
    "timeout": (stuck_worker, "timeout = 1\n"),
}
WANTED = {"timeout": without_status_of_the_aborted}


@pytest.mark.parametrize("name", LIVES)
def test_hooks_run_in_gunicorns_order(name, tmp_path):
    live, conf = LIVES[name]
    found = {}
    for who, command in (("gunicorn", GUNICORN), ("gunwale", GUNWALE)):
        life = Life(command, tmp_path / who, conf)
        try:
            live(life)
        finally:
            life.process.kill()
            life.process.wait()
        found[who] = life.hooks()
    if name in WANTED:
        for hooks in found.values():
            WANTED[name](hooks)
    assert found["gunwale"] == found["gunicorn"]
    assert found["gunwale"][0][-1] == "on_exit server"
    for age, hooks in found["gunwale"].items():
        assert age == 0 or (hooks[0], hooks[-1]) == ("pre_fork server", "child_exit server")
