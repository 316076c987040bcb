# SPDX-License-Identifier: MIT
"""Processes that die without being asked."""

import os
import resource
import shutil
import signal
import subprocess
import time

import pytest
import server as harness
from rawclient import wait_until
from server import SLOW, is_alive, processes_of_session


def test_a_stopped_worker_keeps_no_client_from_its_sibling(server):
    server.start(workers=2, args=["--timeout", "0"])
    (stopped, _) = server.workers()
    server.signal("STOP", stopped)
    try:
        # The kernel may wake the stopped one for the first client, which then waits until the other one looks.
        for _ in range(4):
            assert server.get("/", timeout=10 * SLOW).code == 200
    finally:
        server.signal("CONT", stopped)


@pytest.mark.quick
@pytest.mark.parametrize("preload", [False, True])
def test_a_killed_worker_is_replaced(server, preload):
    server.start(workers=2, args=["--preload"] if preload else [])
    old = server.workers()
    server.signal("KILL", old[0])
    status = server.wait_status(lambda status: any(row["pid"] == old[0] for row in status["exits"]))
    (row,) = [row for row in status["exits"] if row["pid"] == old[0]]
    assert row["signal"] in ("SIGKILL", 9) and row["exit_code"] is None
    server.wait_log(rf"\[ERROR\] Worker \(pid:{old[0]}\) was sent SIGKILL! Perhaps out of memory\?$")
    new = server.wait_workers(2)
    assert old[1] in new and server.get("/").code == 200


@pytest.mark.quick
def test_a_crashing_worker_is_named_and_replaced(server):
    # This crash is on purpose: a sanitizer is not to report it.
    server.start(workers=1, env={"ASAN_OPTIONS": "handle_segv=0", "TSAN_OPTIONS": "handle_segv=0"})
    (old,) = server.workers()
    with server.raw() as client:
        client.send_request("GET", "/segv")
        assert client.read_to_end() == b""
    server.wait_log(rf"\[WARNING\] Worker \(pid:{old}\) was sent SIGSEGV!$")
    server.wait_workers(1)
    assert server.get("/").code == 200


def test_a_worker_that_exits_is_named_and_replaced(server):
    server.start(workers=1)
    (old,) = server.workers()
    with server.raw() as client:
        client.send_request("GET", "/exit?code=9")
        client.read_to_end()
    server.wait_log(rf"\[ERROR\] Worker \(pid:{old}\) exited with code 9\.$")
    server.wait_workers(1)
    assert server.get("/").code == 200


@pytest.mark.quick
@pytest.mark.parametrize("preload", [False, True])
def test_a_killed_template_is_replaced_and_the_workers_stay(server, preload):
    server.start(workers=2, args=["--preload"] if preload else [])
    old = server.workers()
    template = server.template()
    server.signal("KILL", template)
    assert server.get("/").code == 200
    wait_until(lambda: [pid for pid in server.children() if pid not in old and pid != template], 15 * SLOW)
    assert set(old) <= set(server.children())
    server.signal("KILL", old[0])
    server.wait_status(lambda status: old[0] not in [row["pid"] for row in status["workers"]])
    new = server.wait_workers(2)
    assert old[1] in new and server.get("/").code == 200


@pytest.mark.quick
@pytest.mark.parametrize("busy", [False, True])
def test_workers_leave_when_the_master_is_killed_and_the_port_is_free(server, servers, busy):
    server.start(workers=2)
    clients = []
    if busy:
        for number in range(2):
            clients.append(server.raw(timeout=20))
            clients[-1].send_request("GET", f"/sleep?s=60&mark={server.folder}/mark")
        wait_until(lambda: (server.folder / "mark").exists())
    server.expected_exit = -9
    server.may_leave_zombies = True
    server.signal("KILL")
    server.wait_exit(-9)
    wait_until(lambda: not [pid for pid in processes_of_session(server.pid) if is_alive(pid)], 5 * SLOW)
    assert not server.can_connect()
    second = servers()
    second.start(bind=f"127.0.0.1:{server.address[1]}")
    assert second.get("/").code == 200
    for client in clients:
        client.close()


def test_a_crash_loop_backs_off(server):
    """A worker that dies at boot again and again must not fill the log nor a core."""
    server.write("dies.py", "import os\nif os.path.exists('die'):\n    os._exit(9)\nfrom basic import app\n")
    server.start("dies:app", workers=2)
    first, second = server.workers()
    (server.folder / "die").touch()
    mark = server.mark()
    server.signal("KILL", first)
    server.wait_log(r"exited with code 9", since=mark)
    # Two seconds by the status file's own clock.
    uptime = server.status()["server"]["uptime_seconds"]
    server.wait_status(lambda status: status["server"]["uptime_seconds"] >= uptime + 3)
    deaths = len([line for line in server.log()[mark:].splitlines() if "exited with code 9" in line])
    assert 2 <= deaths <= 12, f"{deaths} deaths in about 3 s"
    assert server.get("/pid").text == str(second), "the other one serves on"
    (server.folder / "die").unlink()
    server.wait_workers(2)


def test_a_boot_failure_of_a_later_worker_does_not_stop_the_server(server):
    """gunicorn stops as a whole (exit 3) when any worker fails to boot, hours after the start too."""
    server.write("later.py", "import os\nif os.path.exists('break'):\n    raise RuntimeError('broken later')\nfrom basic import app\n")
    server.start("later:app", workers=2)
    first, second = server.workers()
    (server.folder / "break").touch()
    server.signal("KILL", first)
    server.wait_log("RuntimeError: broken later")
    assert server.get("/pid").text == str(second)
    (server.folder / "break").unlink()
    server.wait_workers(2)


def test_strangers_are_reaped_by_pid_1(server, tmp_path):
    """In a container gunwale is process 1 and inherits orphans of the application."""
    unshare = shutil.which("unshare")
    if unshare is None or os.geteuid() != 0:
        pytest.skip("needs root and unshare")
    if subprocess.run([unshare, "-pf", "--mount-proc", "true"], capture_output=True, check=False).returncode != 0:
        pytest.skip("unshare -p does not work here")
    server.write(
        "orphans.py",
        """
        import subprocess
        from basic import app as inner, answer

        def app(environ, start_response):
            if environ["PATH_INFO"] == "/orphan":
                subprocess.Popen(["sh", "-c", "sh -c 'exit 3' &"]).wait()
                return answer(start_response, "made")
            if environ["PATH_INFO"] == "/zombies":
                states = subprocess.run(["ps", "-eo", "stat="], stdout=subprocess.PIPE).stdout.decode().split()
                return answer(start_response, str(sum(state.startswith("Z") for state in states)))
            return inner(environ, start_response)
        """,
    )
    if shutil.which("ps") is None:
        pytest.skip("needs ps")
    arguments = ["-pf", "--mount-proc", harness.PROGRAM, "-b", "127.0.0.1:0", "orphans:app"]
    server.spawn(arguments, program=unshare)
    server.wait_listening()
    assert server.log_contains(r"Listening at: \S+ \(1\)$")
    for _ in range(20):
        assert server.get("/orphan").text == "made"
    wait_until(lambda: server.get("/zombies").text == "0")
    # unshare does not pass signals on: ask process 1 itself.
    inner = [pid for pid in processes_of_session(server.pid) if harness.parent_of(pid) == server.pid]
    server.signal("TERM", inner[0])
    server.wait_exit(0)


def test_a_reload_ends_the_search_for_a_template(server):
    """The generation that it was for does not serve any more."""
    broken = server.folder / "broken"
    server.start(conf=f"import os\nif os.path.exists({str(broken)!r}):\n    raise ValueError('broken')\n")
    broken.touch()
    os.kill(server.template(), signal.SIGKILL)
    # By now the next try is seconds away.
    wait_until(lambda: server.log().count("The template could not be replaced") >= 6)
    broken.unlink()
    mark = server.mark()
    server.signal("HUP")
    server.wait_log("Generation 2 serves", since=mark)
    begun = time.monotonic()
    wait_until(lambda: time.monotonic() - begun > 5)
    assert not server.log_contains("replaces the one that ended", since=mark)
    assert server.status()["templates"] == 1


@pytest.mark.quick
def test_a_fork_that_cannot_be_asked_for_is_said_and_tried_again(server):
    limit = 48  # what the master keeps open for itself, and a few workers
    server.start(
        workers=1,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit)),
    )
    for count in range(limit // 2):
        server.signal("TTIN")
        wait_until(lambda: server.log().count("Handling signal: ttin") > count)  # noqa: B023
    wait_until(lambda: server.log().count("Can't ask for a worker: Too many open files\n") >= 4)

    def has_room():
        server.signal("TTOU")
        status = server.status()
        return len(status["workers"]) == status["workers_target"]

    wait_until(has_room)
    assert server.get("/").code == 200


@pytest.mark.slow
@pytest.mark.parametrize("preload", [False, True])
def test_another_hup_ends_a_reload_that_hangs(server, preload):
    server.write("hanging.py", "from basic import app\n")
    server.start("hanging:app", args=["--graceful-timeout", "1", *(["--preload"] if preload else [])])
    server.write("hanging.py", "open('begun', 'w').close()\nimport time\ntime.sleep(1000)\n")
    server.signal("HUP")
    wait_until((server.folder / "begun").exists)
    server.write("hanging.py", "from basic import app\n")

    def has_failed():
        server.signal("HUP")
        return server.log_contains("Reload failed, .* still not ready when another one was asked for")

    wait_until(has_failed, 45 * SLOW)
    server.wait_log("Generation [3-9] serves")
    server.wait_workers(1)
    wait_until(lambda: len(server.children()) == 2, what="one worker and one template")
    assert server.get("/").code == 200
