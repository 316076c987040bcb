# SPDX-License-Identifier: MIT
"""Budgets of memory: who is over is dealt with before the kernel does, and no client notices."""

import subprocess

import pytest
from load import Load
from memcgroup import memory_cgroup  # noqa: F401
from rawclient import SLOW, wait_until

MB = 1 << 20
TCP_NOTSENT_LOWAT = 25


def recycles(status, reason=None):
    return [row for row in status["recycles"] if reason in (None, row["reason"])]


def test_a_worker_above_its_budget_is_replaced_and_no_client_notices(server):
    server.start("eater:app", workers=2, args=["--max-worker-memory", "60M", "--max-worker-memory-hard", "off"])
    with Load(server.address, clients=4) as load:
        fat = int(server.get("/keep?mb=70").text)
        status = server.wait_status(lambda status: recycles(status, "memory"), timeout=30)
        server.wait_status(lambda status: fat not in [row["pid"] for row in status["workers"]], timeout=30)
        load.stop()
    load.check()
    (row,) = recycles(status, "memory")
    assert row["pid"] == fat and row["successor_first"] is True
    assert row["rss_bytes"] > 60 * MB and row["budget_bytes"] == 60 * MB
    server.wait_log(rf"\[WARNING\] Recycling worker \(pid:{fat}\): memory, RSS \d+\.\d MB, .*budget 60\.0 MB, \d+ requests, age \d+ s; its successor is ready")
    server.wait_log(r"\[INFO\] Memory: trim worker")
    # The mild ones came first.
    log = server.log()
    assert log.index("Memory: trim") < log.index("Memory: collect") < log.index("Memory: recycle")


def test_only_reporting_does_nothing(server):
    server.start("eater:app", workers=1, args=["--max-worker-memory", "60M", "--memory-policy", "report"])
    fat = int(server.get("/keep?mb=100").text)
    server.wait_log(r"\[WARNING\] Memory \(only reported\): recycle worker \(pid:\d+\)", timeout=30)
    status = server.status()
    assert recycles(status) == [] and server.get("/").text == str(fat)
    assert status["workers"][0]["memory_trims_total"] == 0
    assert status["limits"]["policy"] == "report"


def test_a_remedy_that_is_switched_off_is_not_used(server):
    server.start(
        "eater:app",
        workers=1,
        args=["--max-worker-memory", "60M", "--max-worker-memory-hard", "off", "--memory-remedies", "recycle"],
    )
    server.get("/keep?mb=70")
    server.wait_status(lambda status: recycles(status, "memory"), timeout=30)
    assert not server.log_contains("Memory: (trim|collect)")


def test_a_budget_below_the_baseline_is_refused_with_a_sentence(server):
    server.start("eater:app", workers=1, args=["--max-worker-memory", "2M"])
    server.wait_log(
        r"\[ERROR\] max_worker_memory = 2\.0 MB is below the \d+\.\d MB that a worker uses right after the start: "
        r"it is not obeyed; use at least \d+M"
    )
    status = server.wait_status(lambda status: status["limits"]["worker_memory"]["source"] == "refused")
    assert status["limits"]["worker_memory"]["soft_bytes"] is None
    (pid,) = server.workers()
    assert server.get("/").text == str(pid)


def test_age_with_jitter(server):
    server.start("eater:app", workers=2, args=["--max-worker-age", "1", "--max-worker-age-jitter", "1"])
    with Load(server.address, clients=2) as load:
        status = server.wait_status(lambda status: len(recycles(status, "max_age")) >= 4, timeout=30)
        load.stop()
    load.check()
    for row in recycles(status, "max_age"):
        assert row["age_seconds"] >= 1


def test_banner_and_print_config_say_what_is_in_force(memory_cgroup, server):  # noqa: F811
    cgroup = memory_cgroup(256 * MB)
    server.start("eater:app", workers=1, args=["--max-worker-memory", "80M"], preexec_fn=cgroup.enter)
    server.wait_log(r"\[INFO\] Memory: Service: at most 256\.0 MB \(the container's limit\)")
    server.wait_log(r"\[INFO\] Memory: Worker \(max_worker_memory\): above 80\.0 MB it is replaced, above 120\.0 MB its request is ended")
    done = server.run(["--print-config", "--max-worker-memory", "80M", "eater:app"], preexec_fn=cgroup.enter)
    assert "max_worker_memory                  = 80M\n" in done.stdout
    assert "# Service: at most 256.0 MB (the container's limit)" in done.stdout


def test_without_a_limit_nothing_is_judged(server):
    server.start("eater:app", workers=1)
    server.get("/keep?mb=200")
    status = server.wait_status(lambda status: status["workers"][0]["memory"]["rss_bytes"] > 200 * MB)
    if not status["memory"]["container"]["is_limited"]:
        assert status["limits"]["memory"]["limit_bytes"] is None and status["memory"]["level"] == "none"
        assert status["memory"]["container"]["limit_bytes"] is None


def test_a_slow_leak_in_a_container_never_meets_the_kernels_killer(memory_cgroup, server):  # noqa: F811
    cgroup = memory_cgroup(160 * MB)
    server.start("eater:app", workers=2, preexec_fn=cgroup.enter)
    with Load(server.address, clients=2) as load:
        kept = 0
        while kept < 300:  # about twice the limit
            assert server.get("/keep?mb=2&rate=30").code == 200
            kept += 2
        load.stop()
    load.check()
    status = server.wait_status(lambda status: recycles(status, "memory"))
    assert cgroup.oom_kills == 0 and cgroup.peak_bytes <= 160 * MB
    assert [row for row in status["exits"] if row["signal"]] == []


def test_a_background_thread_that_runs_away_costs_its_worker_only(memory_cgroup, server):  # noqa: F811
    cgroup = memory_cgroup(160 * MB)
    server.start("eater:app", workers=2, preexec_fn=cgroup.enter)
    first, second = server.workers()
    guilty = int(server.get("/thread?mb=400&rate=200").text)
    server.wait_status(lambda status: guilty not in [row["pid"] for row in status["workers"]], timeout=20)
    assert cgroup.oom_kills == 0
    server.wait_workers(2)
    assert ({first, second} - {guilty}).pop() in server.workers(), "the innocent one stays"


def test_a_kernel_kill_is_told_apart_and_reported(memory_cgroup, server):  # noqa: F811
    cgroup = memory_cgroup(128 * MB)
    server.start("eater:app", workers=1, args=["--memory-remedies", "trim"], preexec_fn=cgroup.enter)
    (old,) = server.workers()
    with server.raw() as client:
        client.send_request("GET", "/eat?mb=300&rate=150")
        status = server.wait_status(lambda status: status["exits"], timeout=20)
    (row,) = status["exits"]
    assert row["pid"] == old and row["reason"] == "kernel_oom" and row["killed_by"] == "kernel_oom"
    assert row["rss_bytes"] > 30 * MB and row["requests_in_flight"][0]["path"] == "/eat"
    server.wait_log(rf"\[ERROR\] Worker \(pid:{old}\) was sent SIGKILL! Perhaps out of memory\?")
    server.wait_log(
        rf"The kernel killed worker \(pid:{old}\): the container has used up its memory \(limit 128\.0 MB\); "
        r"last readings: RSS \d+\.\d MB, .*requests in flight: GET /eat"
    )
    server.wait_workers(1)


def test_another_sigkill_is_not_blamed_on_memory(memory_cgroup, server):  # noqa: F811
    cgroup = memory_cgroup(256 * MB)
    server.start("eater:app", workers=1, preexec_fn=cgroup.enter)
    (old,) = server.workers()
    server.signal("KILL", old)
    status = server.wait_status(lambda status: status["exits"])
    assert status["exits"][0]["killed_by"] == "other" and status["exits"][0]["reason"] == "crash"
    server.wait_log(rf"\[INFO\] Worker \(pid:{old}\) was not killed by the kernel for want of memory")


def test_a_limit_that_is_changed_at_run_time_is_noticed(memory_cgroup, server):  # noqa: F811
    cgroup = memory_cgroup(256 * MB)
    server.start("eater:app", workers=1, preexec_fn=cgroup.enter)
    assert server.status()["limits"]["memory"]["limit_bytes"] == 256 * MB
    cgroup.limit(192 * MB)
    server.wait_status(lambda status: status["limits"]["memory"]["limit_bytes"] == 192 * MB)
    server.wait_log("The container's memory limit has changed")


def test_without_room_for_a_successor_the_old_one_leaves_first(memory_cgroup, server):  # noqa: F811
    """The application alone takes a third of the container."""
    server.write("big.py", "from eater import app\nBALLAST = [bytes(1000) for _ in range(45000)]\n")
    cgroup = memory_cgroup(160 * MB)
    server.start("big:app", workers=2, args=["--max-requests", "20"], preexec_fn=cgroup.enter)
    with Load(server.address, clients=2) as load:
        status = server.wait_status(lambda status: any(not row["successor_first"] for row in recycles(status)), timeout=30)
        load.stop()
    load.check()
    assert cgroup.oom_kills == 0
    assert status["memory"]["has_room_for_successor"] in (True, False)
    server.wait_log(r"Recycling worker .* no room for a successor beside it, so it leaves first")


@pytest.mark.parametrize("value,expected", [(None, 128 << 10), ("64K", 64 << 10), ("off", None)])
def test_clients_inherit_the_send_low_watermark(server, value, expected):
    """A client that does not read costs the kernel that much, not megabytes."""
    server.write(
        "stream.py",
        """
        def app(environ, start_response):
            start_response("200 OK", [("Content-Type", "application/octet-stream")])
            return (b"x" * 65536 for _ in range(2000))
        """,
    )
    server.start("stream:app", workers=1, args=["--client-send-low-watermark", value] if value else [])
    with server.raw() as client:
        client.send_request("GET", "/")
        queue = {}

        def queued():
            done = subprocess.run(["ss", "-tnm", "state", "established", f"sport = :{server.address[1]}"], capture_output=True, text=True)
            queue["text"] = done.stdout
            sizes = [int(line.split()[1]) for line in done.stdout.splitlines()[1:] if line and line[0].isdigit()]
            queue["bytes"] = max(sizes, default=0)
            return queue["bytes"] > (1 << 20 if expected is None else expected // 2)

        wait_until(queued, 10 * SLOW)
        if expected is not None:
            assert queue["bytes"] < 8 * MB


def test_a_limit_that_is_too_small_to_start_is_refused_and_no_crash_loop(server):
    server.write("big.py", "from eater import app\nBALLAST = [bytes(1000) for _ in range(150000)]\n")
    server.start("big:app", workers=2, args=["--memory-limit", "120M"], ready=False)
    server.wait_log(r"\[ERROR\] memory_limit = 120\.0 MB is below the \d+\.\d MB that the service uses right after the start", timeout=40)
    server.wait_ready(timeout=40)
    assert server.get("/").code == 200
    assert len(server.status()["exits"]) <= 8


def test_a_hard_budget_counts_beside_a_derived_soft_one(server):
    server.start("eater:app", workers=1, args=["--memory-limit", "2G", "--max-worker-memory-hard", "60M"])
    assert server.get("/eat?mb=1000&rate=100").code == 500
    server.wait_log(r"Memory: abort worker \(pid:\d+\), it is above its hard memory budget")


def test_a_reload_does_not_take_two_generations_for_the_baseline(server):
    server.write("big.py", "from eater import app\nBALLAST = [bytes(1000) for _ in range(60000)]\n")
    server.start("big:app", workers=2, args=["--memory-limit", "220M"])
    server.wait_status(lambda status: status["limits"]["memory"]["source"] == "setting")
    with server.raw(timeout=30) as slow:
        slow.send_request("GET", "/sleep?s=4")
        server.wait_status(lambda status: status["requests"]["active"] == 1)
        server.signal("HUP")
        server.wait_log("Generation 2 serves")
        assert slow.read_response().code == 200
    server.wait_workers(2)
    server.wait_status(lambda status: status["limits"]["memory"]["source"] == "setting")
    assert not server.log_contains("it is not obeyed")


def test_values_that_are_none_are_refused(server):
    for flag, value in (
        ("--memory-limit", "lots"),
        ("--max-worker-memory", "-1"),
        ("--client-send-low-watermark", "50%"),
        ("--max-request-memory", "1.5"),
    ):
        done = server.run(["--check-config", flag, value, "eater:app"])
        name = flag[2:].replace("-", "_")
        assert done.returncode == 1 and f"{name} must be " in done.stderr and value in done.stderr, done.stderr
    done = server.run(["--check-config", "--memory-remedies", "trim,pray", "eater:app"])
    assert done.returncode == 1 and "Invalid memory_remedies: 'pray'" in done.stderr


def test_a_configuration_file_may_write_them_as_people_do(server):
    server.write("gunicorn.conf.py", "max_worker_memory = 400\nmemory_limit = None\nmax_request_memory = 512 * 1024 * 1024\n")
    done = server.run(["--print-config", "eater:app"])
    assert "max_worker_memory                  = 400M\n" in done.stdout
    assert "memory_limit                       = off\n" in done.stdout
    assert "max_request_memory                 = 512M\n" in done.stdout
