# SPDX-License-Identifier: MIT
"""--pid"""

import os
import re

import pytest

pytestmark = pytest.mark.quick


def test_holds_the_masters_pid_and_is_removed(server):
    server.start(args=["--pid", "run.pid"])
    assert server.read("run.pid").strip() == str(server.pid)
    server.stop()
    assert not (server.folder / "run.pid").exists()


def test_survives_a_reload(server):
    server.start(args=["--pid", "run.pid"])
    generation = server.status()["server"]["generation"]
    server.signal("HUP")
    server.wait_status(lambda status: status["server"]["generation"] > generation)
    server.wait_ready()
    assert server.read("run.pid").strip() == str(server.pid)


def test_refuses_to_start_beside_a_running_one(server, servers):
    server.start(args=["--pid", "run.pid"])
    result = servers().run(["-b", "127.0.0.1:0", "--pid", server.folder / "run.pid", "basic:app"])
    assert result.returncode == 1, result
    assert re.search(rf"Already running on PID {server.pid} \(or pid file '.*run\.pid' is stale\)", result.stderr)
    assert server.read("run.pid").strip() == str(server.pid)
    assert server.get("/").code == 200


@pytest.mark.parametrize("content", ["", "99999999\n", "rubbish\n"])
def test_takes_over_a_stale_file(server, content):
    server.write("run.pid", content)
    server.start(args=["--pid", "run.pid"])
    assert server.read("run.pid").strip() == str(server.pid)


def test_takes_over_a_file_that_names_another_program_now(server, servers):
    """Also one of our own that is no master: after a container's restart small pids come again."""
    server.start()
    for pid in (os.getpid(), server.template(), server.workers()[0]):
        other = servers()
        other.write("run.pid", f"{pid}\n")
        other.start(args=["--pid", "run.pid"])
        assert other.read("run.pid").strip() == str(other.pid)
        other.stop()


def test_a_file_that_somebody_else_has_taken_is_left_alone(server):
    server.start(args=["--pid", "run.pid"])
    (server.folder / "run.pid").write_text(f"{os.getpid()}\n")
    server.stop()
    assert server.read("run.pid").strip() == str(os.getpid())


def test_folder_that_does_not_exist_exits_1(server):
    result = server.run(["-b", "127.0.0.1:0", "--pid", "/no/such/folder/run.pid", "basic:app"])
    assert result.returncode == 1 and "/no/such/folder" in result.stderr
