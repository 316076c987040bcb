# SPDX-License-Identifier: MIT
"""The control socket: who is answered, what can be asked, and that nobody can hold the master up with it."""

import contextlib
import json
import os
import socket
import stat
import subprocess
import sys

import pytest
from control import Control, ask
from load import Load
from rawclient import wait_until
from server import SLOW, rss_bytes
from test_upgrade import upgrade, wait_gone

pytestmark = pytest.mark.quick


@pytest.fixture
def path(server):
    return server.folder / "control"


@pytest.fixture
def start(server, path):
    def run(args=(), **more):
        server.start(args=["--control-socket", path, *args], **more)
        return server

    return run


def test_it_answers_what_is_asked(start, server, path):
    start(workers=2, conf="timeout = 77\n")
    with Control(path) as control:
        assert control.ask("ping") == {"ok": True, "pid": server.pid, "version": server.status()["server"]["version"]}
        status = control.ask("status")["status"]
        assert status["schema"] == 1 and status["server"]["pid"] == server.pid and len(status["workers"]) == 2
        assert control.ask("limits")["ok"] is True
        settings = control.ask("config")["settings"]
        assert settings["workers"] == {"value": 2, "source": "command line"}
        assert settings["timeout"] == {"value": 77, "source": "file"}
        assert settings["backlog"] == {"value": 2048, "source": "default"}
        assert json.loads(control.ask("status", format="puma")["text"])["workers"] == 2
        assert control.ask("status", format="prometheus")["text"].startswith("# HELP gunwale_")


@pytest.mark.parametrize(
    "line",
    [
        "",
        "{",
        "[]",
        "null",
        "{}",
        '{"command": 1}',
        '{"command": "dance"}',
        '{"command": "status", "command": "stop"}',
        '{"command": "status", "format": "xml"}',
        '{"command": "status", "format": 1}',
        '{"command": "recycle", "slot": "0"}',
        '{"command": "recycle", "slot": 4.5}',
        '{"command": "recycle", "slot": -1}',
        '{"command": "recycle", "slot": 99999999999}',
        '{"command": "recycle", "slot": 17}',
        '{"command": "stop", "quick": 1}',
        "[" * 5000,
        '"\\ud800"',
        b"\xff\xfe\n",
        b'{"command": "st\0atus"}\n',
    ],
    ids=lambda line: repr(line[:30]),
)
def test_nonsense_is_refused_with_a_sentence_and_the_connection_goes_on(start, server, path, line):
    start(workers=1)
    with Control(path) as control:
        control.send(line)
        reply = control.read()
        assert reply["ok"] is False and len(reply["error"]) > 10 and "\n" not in reply["error"]
        assert control.ask("ping")["ok"] is True
    assert server.get("/").code == 200


def test_many_questions_at_once_are_answered_in_order(start, path):
    start(workers=1)
    with Control(path) as control:
        control.send(b'{"command": "ping"}\n{"command": "limits"}\n{"command": "x"}\n' * 50)
        for _ in range(50):
            assert "pid" in control.read()
            assert "limits" in control.read()
            assert control.read()["ok"] is False


def test_a_worker_is_recycled_and_nobody_notices(start, server, path):
    start(workers=2)
    before = server.workers()
    rows = {row["pid"]: row for row in server.status()["workers"]}
    with Load(server.address, clients=4) as load:
        assert ask(path, "recycle", slot=rows[before[0]]["slot"]) == {"ok": True, "recycling": [rows[before[0]]["slot"]]}
        status = server.wait_status(lambda status: status["exits"])
        server.wait_workers(2)
        load.stop()
    load.check()
    assert status["exits"][0]["pid"] == before[0] and status["exits"][0]["reason"] == "operator"
    assert status["exits_total"]["operator"] == 1
    assert before[1] in server.workers()
    assert server.log_contains(rf"Control socket: recycle, asked by pid {os.getpid()} of user {os.geteuid()}")


def test_all_workers_are_recycled_one_after_the_other(start, server, path):
    start(workers=3)
    before = set(server.workers())
    most = 0
    with Load(server.address, clients=4) as load:
        assert len(ask(path, "recycle")["recycling"]) == 3

        def are_new():
            nonlocal most
            status = server.status()
            most = max(most, sum(row["state"] in ("spawning", "booting") for row in status["workers"]))
            assert status["workers_current"] >= 3
            return len(status["exits"]) == 3

        wait_until(are_new, 30 * SLOW)
        load.stop()
    load.check()
    assert most <= 1, "successors come one at a time; those who leave may overlap"
    assert not before & set(server.wait_workers(3))


def test_who_is_being_replaced_is_not_replaced_twice(start, server, path):
    start(workers=1)
    with server.raw() as client:
        client.send_request("GET", f"/wait?until={server.folder}/go")
        server.wait_status(lambda status: status["requests"]["active"] == 1)
        assert ask(path, "recycle", slot=0)["ok"] is True
        server.wait_status(lambda status: [row["state"] for row in status["workers"] if row["slot"] == 0] == ["retiring"])
        assert "replaced already" in ask(path, "recycle", slot=0)["error"]
        (server.folder / "go").touch()
        assert client.read_response().code == 200


def test_a_reload(start, server, path):
    start(workers=1)
    assert ask(path, "reload") == {"ok": True}
    server.wait_status(lambda status: status["server"]["generation"] == 2 and status["reload"]["state"] == "idle")
    assert server.log_contains("Control socket: reload")


def test_a_graceful_stop_finishes_requests_and_says_so_first(start, server, path):
    start(workers=1)
    with server.raw() as client:
        client.send_request("GET", f"/wait?until={server.folder}/go")
        server.wait_status(lambda status: status["requests"]["active"] == 1)
        with Control(path) as control:
            assert control.ask("stop") == {"ok": True}
            assert control.ask("recycle")["error"] == control.ask("reload")["error"] == "the service is stopping"
            assert control.ask("status")["status"]["server"]["state"] == "stopping"
            (server.folder / "go").touch()
            assert client.read_response().code == 200
            assert control.read() is None
    server.wait_exit()
    assert not path.exists()


def test_a_quick_stop_drops_requests(start, server, path):
    start(workers=1)
    with server.raw() as client:
        client.send_request("GET", f"/wait?until={server.folder}/never")
        server.wait_status(lambda status: status["requests"]["active"] == 1)
        assert ask(path, "stop", quick=True) == {"ok": True}
        server.wait_exit(timeout=10)


@pytest.mark.parametrize(("arguments", "mode"), [([], 0o600), (["--control-socket-mode", "0660"], 0o660)])
def test_the_mode_is_the_settings_whatever_the_umask(server, path, arguments, mode):
    server.start(args=["--control-socket", path, *arguments], umask=0o27)
    assert stat.S_IMODE(path.stat().st_mode) == mode


def test_only_root_and_the_masters_user_are_answered(start, server, path, need_root):
    start(workers=1, args=["--control-socket-mode", "0666"])
    script = (
        "import os, socket, sys; os.setgid(65534); os.setuid(65534); s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]);"
        "s.sendall(b'{\"command\": \"stop\"}\\n'); print(s.makefile().read())"
    )
    done = subprocess.run([sys.executable, "-c", script, path], capture_output=True, text=True, timeout=30 * SLOW, check=True)
    reply = json.loads(done.stdout)
    assert reply == {"ok": False, "error": "only root and user 0 are answered, not user 65534"}
    assert ask(path, "ping")["ok"] is True
    assert not server.log_contains("Control socket: stop")


def test_there_is_none_unless_asked_for(server):
    server.start(workers=1)
    assert not [entry for entry in server.folder.iterdir() if entry.is_socket()]


def test_the_environment_may_name_it_and_it_can_be_forbidden(server, path):
    server.start(workers=1, env={"GUNWALE_CONTROL_SOCKET": path})
    assert ask(path, "ping")["pid"] == server.pid
    server.stop()
    server.start(workers=1, env={"GUNWALE_CONTROL_SOCKET": path}, args=["--no-control-socket"])
    assert not path.exists()


def test_the_socket_of_a_dead_master_is_replaced(start, server, path):
    start(workers=1)
    server.signal("KILL")
    server.wait_exit(code=-9)
    assert path.is_socket()
    start(workers=1)
    assert ask(path, "ping")["pid"] == server.pid
    server.stop()
    assert not path.exists()


def test_the_socket_of_a_living_master_is_left_alone(servers):
    first, second = servers(), servers()
    path = first.folder / "control"
    first.start(workers=1, args=["--control-socket", path])
    second.start(workers=1, args=["--control-socket", path])
    second.wait_log(rf"\[ERROR\] No control socket at '{path}': another process listens at '{path}'")
    assert second.get("/").code == 200
    assert ask(path, "ping")["pid"] == first.pid
    second.stop()
    assert ask(path, "ping")["pid"] == first.pid


@pytest.mark.parametrize("kind", ["file", "folder", "no such folder", "too long"])
def test_a_path_that_cannot_be_used_is_said_and_the_service_goes_on(server, kind):
    path = server.folder / {"no such folder": "a/b", "too long": "x" * 120}.get(kind, "taken")
    if kind == "file":
        path.write_text("precious")
    elif kind == "folder":
        path.mkdir()
    server.start(workers=1, args=["--control-socket", path])
    server.wait_log(rf"\[ERROR\] No control socket at '{path}': ")
    assert server.get("/").code == 200
    server.stop()
    if kind == "file":
        assert path.read_text() == "precious"


def test_a_reload_moves_it_changes_its_mode_and_takes_it_away(server):
    first, second = server.folder / "first", server.folder / "second"
    server.start(workers=1, conf=f"control_socket = '{first}'\n")
    assert ask(first, "ping")["ok"]

    def reload(conf):
        generation = server.status()["server"]["generation"]
        server.write("gunicorn.conf.py", conf)
        server.signal("HUP")
        server.wait_status(lambda status: status["server"]["generation"] > generation and status["reload"]["state"] == "idle")

    reload(f"control_socket = '{second}'\n")
    assert ask(second, "ping")["ok"] and not first.exists()
    reload(f"control_socket = '{second}'\ncontrol_socket_mode = 0o640\n")
    assert stat.S_IMODE(second.stat().st_mode) == 0o640 and ask(second, "ping")["ok"]
    reload("control_socket = '/no/such/folder/x'\n")
    server.wait_log("No control socket at '/no/such/folder/x'")
    assert ask(second, "ping")["ok"], "the old one stays"
    reload("")
    assert not second.exists()


def test_a_line_without_end_ends_the_connection(start, path):
    start(workers=1)
    with Control(path) as control:
        with contextlib.suppress(OSError):
            control.send(b"x" * 100_000)
        assert control.read() == {"ok": False, "error": "a line has at most 65536 bytes"}
        assert control.read() is None
    assert ask(path, "ping")["ok"]


def test_silent_guests_keep_nobody_out(start, path):
    """More than there are places for: the newest is heard."""
    start(workers=1)
    with contextlib.ExitStack() as stack:
        guests = [stack.enter_context(Control(path)) for _ in range(40)]
        assert ask(path, "ping")["ok"]
        assert guests[0].read() is None, "who has been there longest makes room"
        assert guests[-1].ask("ping")["ok"]


def test_who_takes_no_answer_costs_no_memory(start, server, path):
    start(workers=1)
    before = rss_bytes(server.pid)
    with Control(path) as control:
        control.sock.setblocking(False)
        sent = 0
        with contextlib.suppress(BlockingIOError):
            while sent < 50_000_000:
                sent += control.sock.send(b'{"command": "config"}\n' * 1000)
        assert sent < 50_000_000, "it has to stop reading"
        for _ in range(20):
            assert ask(path, "ping")["ok"]
        assert server.get("/").code == 200
        assert rss_bytes(server.pid) - before < 20_000_000


def test_who_hangs_up_in_the_middle_does_no_harm(start, server, path):
    start(workers=1)
    for line in (b"", b'{"comm', b'{"command": "config"}\n' * 100):
        client = socket.socket(socket.AF_UNIX)
        client.connect(str(path))
        client.sendall(line)
        client.close()
    assert ask(path, "ping")["pid"] == server.pid


def test_a_new_master_beside_the_old_one_has_a_socket_of_its_own(start, server, path):
    start(workers=1)
    second = path.with_name(path.name + ".2")
    old = server.pid
    new = upgrade(server)
    assert ask(path, "ping")["pid"] == old
    assert ask(second, "ping")["pid"] == new
    server.signal("TERM", old)
    server.wait_exit()
    wait_until(lambda: path.exists() and not second.exists(), 15 * SLOW)
    wait_until(lambda: ask(path, "ping")["pid"] == new, 15 * SLOW)
    assert ask(path, "stop")["ok"]
    wait_gone(new)
    assert not path.exists()


def test_a_new_master_that_backs_out_takes_its_socket_along(start, server, path):
    start(workers=1)
    second = path.with_name(path.name + ".2")
    new = upgrade(server)
    assert ask(second, "stop")["ok"]
    server.wait_log(r"The new master \(pid:\d+\) has left; this one goes on")
    wait_gone(new)
    assert not second.exists()
    assert ask(path, "ping")["pid"] == server.pid
