# SPDX-License-Identifier: MIT
"""gunwalectl: what it prints, its exit codes, and `top` in a terminal."""

import json
import re
import signal

import pytest
from control import PROGRAM, Terminal, ctl
from load import Load
from rawclient import wait_until
from server import SLOW

pytestmark = pytest.mark.quick

FRAME = "\033[H"


@pytest.fixture
def path(server):
    return server.folder / "gunwale.ctl"


@pytest.fixture
def start(server, path):
    def run(args=(), **more):
        server.start(args=["--control-socket", path, *args], **more)
        return server

    return run


def good(done):
    assert done.returncode == 0 and not done.stderr, f"{done.returncode}: {done.stderr}"
    return done.stdout


def test_status_is_a_page_of_80_columns(start, server, path):
    start(workers=3)
    with server.raw() as client:
        client.send_request("GET", f"/wait?until={server.folder}/go")
        wait_until(lambda: "GET /wait" in good(ctl("-s", path, "status")), 15 * SLOW)
        page = good(ctl("-s", path, "status"))
        (server.folder / "go").touch()
    lines = page.splitlines()
    assert all(len(line) <= 80 for line in lines), page
    assert lines[0].startswith("gunwale ") and f"master pid {server.pid}" in lines[0]
    assert server.listening[0] in lines[1]
    assert "3 of 3 serve" in page
    for pid in server.workers():
        assert re.search(rf"^ +\d+ +{pid} serving +\S+ +\d+ +\d+ +\d+M ", page, re.MULTILINE), page


def test_status_in_other_forms(start, server, path):
    start(workers=1)
    assert json.loads(good(ctl("status", "--json", "-s", path)))["server"]["pid"] == server.pid
    assert good(ctl("-s", path, "status", "--format", "prometheus")).startswith("# HELP gunwale_")
    assert json.loads(good(ctl(f"--socket={path}", "status", "--format=health")))["status"] == "pass"
    refused = ctl("-s", path, "status", "--format", "xml")
    assert refused.returncode == 1 and refused.stderr == "gunwalectl: format is json, prometheus, uwsgi, puma or health\n"


def test_where_the_socket_is(start, server, path):
    start(workers=1)
    good(ctl("status", cwd=server.folder))
    good(ctl("status", env={"GUNWALE_CONTROL_SOCKET": path}, cwd="/"))
    good(ctl("-s", path, "status", env={"GUNWALE_CONTROL_SOCKET": "/nowhere"}, cwd="/"))
    done = ctl("status", cwd="/")
    assert done.returncode == 3 and not done.stdout
    assert done.stderr.startswith("gunwalectl: can't connect to './gunwale.ctl': No such file or directory\n")


def test_no_server_is_3(server, path):
    for name in (path, "x" * 200):
        for command in ("status", "top", "stop"):
            assert ctl("-s", name, command).returncode == 3
    server.start(args=["--control-socket", path], workers=1)
    server.signal("KILL")
    server.wait_exit(code=-9)
    done = ctl("-s", path, "status")
    assert done.returncode == 3 and "Connection refused" in done.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        "",
        "dance",
        "status 1",
        "recycle x",
        "recycle -1",
        "recycle 1 2",
        "status --quick",
        "reload --json",
        "status --json --format puma",
        "limits --format puma",
        "top -i 0",
        "top -i x",
        "top -n 0",
        "--nonsense status",
        "status -s",
    ],
)
def test_a_wrong_command_line_is_2(path, arguments):
    done = ctl("-s", path, *arguments.split())
    assert done.returncode == 2 and not done.stdout and "gunwalectl" in done.stderr


def test_help_and_version():
    text = good(ctl("--help"))
    for word in "status top recycle reload stop config limits --socket --json --format --quick".split():
        assert word in text
    assert all(len(line) <= 120 for line in text.splitlines())
    assert re.fullmatch(r"gunwalectl \(version \d+\.\d+\.\d+\)\n", good(ctl("--version")))


def test_recycle_reload_and_stop(start, server, path):
    start(workers=2)
    before = set(server.workers())
    with Load(server.address, clients=4) as load:
        assert re.fullmatch(r"Slots that get another worker: \d+, \d+\n", good(ctl("-s", path, "recycle")))
        server.wait_status(lambda status: status["exits_total"]["operator"] == 2)
        assert not before & set(server.wait_workers(2))
        slot = server.status()["workers"][0]["slot"]
        assert good(ctl("-s", path, "recycle", slot)) == f"Slots that get another worker: {slot}\n"
        server.wait_status(lambda status: status["exits_total"]["operator"] == 3)
        assert "begun" in good(ctl("-s", path, "reload"))
        server.wait_status(lambda status: status["server"]["generation"] == 2 and status["reload"]["state"] == "idle")
        load.stop()
    load.check()
    refused = ctl("-s", path, "recycle", 1000)
    assert refused.returncode == 1 and refused.stderr == "gunwalectl: no worker serves in slot 1000\n"
    assert "finishes its requests" in good(ctl("-s", path, "stop"))
    server.wait_exit()


def test_a_quick_stop(start, server, path):
    start(workers=1)
    with server.raw() as client:
        client.send_request("GET", f"/wait?until={server.folder}/never")
        server.wait_status(lambda status: status["requests"]["active"] == 1)
        good(ctl("-s", path, "stop", "--quick"))
        server.wait_exit(timeout=10)


def test_config_and_limits(start, path):
    start(workers=1, conf="timeout = 55\nraw_env = ['A=\\x1b[2J']\n")
    text = good(ctl("-s", path, "config"))
    assert re.search(r"^timeout +=\s55  \(file\)$", text, re.MULTILINE)
    assert re.search(r"^workers +=\s1  \(command line\)$", text, re.MULTILINE)
    assert re.search(r"^backlog +=\s2048$", text, re.MULTILINE)
    assert "\033" not in text
    settings = json.loads(good(ctl("-s", path, "config", "--json")))
    assert settings["timeout"] == {"value": 55, "source": "file"}
    assert good(ctl("-s", path, "limits"))
    json.loads(good(ctl("-s", path, "limits", "--json")))


# top


def frames(text):
    return text.split(FRAME)[1:]


def shown(frame):
    """What a frame leaves on the screen, without escape sequences."""
    return [re.sub(r"\033\[[?0-9;]*[a-zA-Z]|\r", "", line) for line in frame.split("\n")]


def test_top_draws_in_place_and_q_restores_the_terminal(start, server, path):
    start(workers=3)
    with Terminal([PROGRAM, "-s", path, "top", "-i", "0.1"]) as terminal:
        terminal.wait_output("(SLOT.*){5}".replace(".", "[\\s\\S]"))
        terminal.type("q")
        assert terminal.wait_exit() == 0
        assert terminal.is_restored()
        assert terminal.output.startswith("\033[?1049h\033[?25l")
        assert terminal.output.endswith("\033[?25h\033[?1049l")
        assert "\033[2J" not in terminal.output and "\033[J" in terminal.output
        for frame in frames(terminal.output)[:-1]:
            assert all(len(line) <= 80 for line in shown(frame))
            assert len(shown(frame)) <= 24
            # Cleared behind each line and below the last one, so that nothing of an older frame shows.
            assert frame.count("\033[K") == len(shown(frame))
        for pid in server.workers():
            assert str(pid) in frames(terminal.output)[0]


def test_top_follows_the_size_of_the_window(start, path):
    start(workers=4)
    with Terminal([PROGRAM, "-s", path, "top", "-i", "60"], columns=80, rows=30) as terminal:
        terminal.wait_output(r"IN FLIGHT[\s\S]*\033\[J")
        assert "GROW/S" not in terminal.output
        mark = len(terminal.output)
        terminal.resize(120, 30)
        terminal.wait_output(r"GROW/S[\s\S]*\033\[J", since=mark)
        mark = len(terminal.output)
        terminal.resize(30, 9)
        terminal.wait_output(r"more[\s\S]*\033\[J", since=mark)
        lines = shown(frames(terminal.output)[-1])
        assert len(lines) <= 9 and all(len(line) <= 30 for line in lines)
        terminal.resize(1, 1)
        terminal.resize(80, 24)
        terminal.wait_output(r"IN FLIGHT", since=len(terminal.output))
        terminal.type("x")
        terminal.type("Q")
        assert terminal.wait_exit() == 0 and terminal.is_restored()


@pytest.mark.parametrize("name", ["INT", "TERM", "HUP"])
def test_top_restores_the_terminal_when_it_is_told_to_end(start, path, name):
    start(workers=1)
    with Terminal([PROGRAM, "-s", path, "top", "-i", "60"]) as terminal:
        terminal.wait_output("IN FLIGHT")
        terminal.process.send_signal(getattr(signal, "SIG" + name))
        assert terminal.wait_exit() == 0
        assert terminal.is_restored() and terminal.output.endswith("\033[?1049l")


def test_top_waits_for_a_server_that_goes_away(start, server, path):
    start(workers=1)
    with Terminal([PROGRAM, "-s", path, "top", "-i", "0.1"]) as terminal:
        terminal.wait_output("IN FLIGHT")
        server.stop()
        terminal.wait_output("can't connect to")
        mark = len(terminal.output)
        start(workers=1)
        terminal.wait_output(f"master pid {server.pid}", since=mark)
        terminal.type("q")
        assert terminal.wait_exit() == 0


def test_top_without_a_terminal_prints_frames(start, path):
    start(workers=2)
    text = good(ctl("-s", path, "top", "-n", "3", "-i", "0.1"))
    assert "\033" not in text
    assert text.count("SLOT ") == 3 and text.count("gunwale ") == 3
    assert all(len(line) <= 80 for line in text.splitlines())


def test_top_shows_the_fattest_worker_first(start, server, path):
    server.write(
        "fat.py",
        """
        import os
        kept = []
        def app(environ, start_response):
            kept.append(b"x" * 30_000_000)
            start_response("200 OK", [("Content-Length", "1")])
            return [b"x"]
        """,
    )
    start(app="fat:app", args=["--pythonpath", server.folder], workers=3)
    server.get("/")
    fattest = max(server.wait_status(lambda status: status["requests"]["total"])["workers"], key=lambda row: row["requests_total"])

    def is_first():
        text = good(ctl("-s", path, "top", "-n", "1"))
        return int(text.partition("SLOT ")[2].splitlines()[1].split()[1]) == fattest["pid"]

    wait_until(is_first, 15 * SLOW)
