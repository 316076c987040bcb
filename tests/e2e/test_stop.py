# SPDX-License-Identifier: MIT
"""A stop comes to its end, whatever state the parts are in."""

import os
import signal
import socket
import time

import pytest
from rawclient import wait_until
from test_signals import begin_slow, go

pytestmark = pytest.mark.quick


def cpu_seconds(pid):
    with open(f"/proc/{pid}/stat") as file:
        fields = file.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def test_term_while_the_template_hangs_in_a_hook(server):
    """Nobody knows then what became of the fork that was asked for."""
    server.start(
        args=["--graceful-timeout", "1"],
        conf="import time\ndef pre_fork(server, worker):\n    time.sleep(1000 if worker.age > 1 else 0)\n",
    )
    server.signal("TTIN")
    server.wait_status(lambda status: any(row["state"] == "spawning" for row in status["workers"]))
    server.signal("TERM")
    server.wait_log("does not answer")
    server.wait_exit(0)


def test_ttou_while_the_template_hangs_in_a_hook_brings_a_new_template(server):
    hang = server.folder / "hang"
    server.start(
        args=["--graceful-timeout", "1"],
        conf=f"import os, time\ndef pre_fork(server, worker):\n    time.sleep(1000 if os.path.exists({str(hang)!r}) else 0)\n",
    )
    hang.touch()
    server.signal("TTIN")
    server.wait_status(lambda status: any(row["state"] == "spawning" for row in status["workers"]))
    server.signal("TTOU")
    server.wait_log("does not answer")
    hang.unlink()
    server.wait_log("replaces the one that ended")
    server.signal("TTIN")
    server.wait_workers(2)


@pytest.mark.parametrize("name", ["TERM", "INT"])
def test_stop_while_the_application_is_imported_for_preload(server, name):
    server.write("slow_import.py", "open('begun', 'w').close()\nimport time\ntime.sleep(1000)\n")
    server.start("slow_import:app", args=["--preload"], ready=False)
    wait_until((server.folder / "begun").exists)
    server.signal(name)
    server.wait_exit(0, timeout=5)


def test_stop_while_the_configuration_file_runs(server):
    server.write("gunicorn.conf.py", "open('begun', 'w').close()\nimport time\ntime.sleep(1000)\n")
    server.spawn(["basic:app"])
    wait_until((server.folder / "begun").exists)
    server.signal("TERM")
    server.wait_exit(0, timeout=5)


def test_stop_while_the_address_is_taken(server):
    """The next try to bind comes while the template is on its way out."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        server.write("gunicorn.conf.py", "import atexit, time\natexit.register(time.sleep, 2)\n")
        server.spawn(["-b", f"127.0.0.1:{port}", "basic:app"])
        server.wait_log("Connection in use")
        server.signal("TERM")
    server.wait_exit(0)
    assert server.log_contains("Connection in use", times=1)


def test_graceful_stop_with_a_replacement_put_off_costs_no_cpu(server):
    server.write(
        "dying.py",
        """
        import os
        from basic import app
        if os.path.exists("broken"):
            os._exit(1)
        """,
    )
    server.start("dying:app", workers=2)
    client = begin_slow(server)
    slow_worker = server.wait_status(lambda status: [row for row in status["workers"] if row["requests_active"]])
    (busy,) = [row["pid"] for row in slow_worker["workers"] if row["requests_active"]]
    (other,) = [pid for pid in server.workers() if pid != busy]
    (server.folder / "broken").touch()
    os.kill(other, signal.SIGKILL)
    wait_until(lambda: server.log().count("exited with code 1") >= 4)
    server.signal("TERM")
    server.wait_log("Handling signal: term")
    before = cpu_seconds(server.pid)
    begun = time.monotonic()
    wait_until(lambda: time.monotonic() - begun > 1.5)
    used = cpu_seconds(server.pid) - before
    go(server)
    assert client.read_response().code == 200
    server.wait_exit(0)
    assert used < 0.5, used
