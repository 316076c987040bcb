# SPDX-License-Identifier: MIT
"""The status file."""

import datetime
import json
import os
import stat

import pytest
from load import Load
from rawclient import wait_until
from server import SLOW, rss_bytes

pytestmark = pytest.mark.quick

TOP = {
    "schema": int,
    "status": str,
    "server": dict,
    "listeners": list,
    "workers_target": int,
    "workers_current": int,
    "workers": list,
    "exits": list,
    "requests": dict,
    "reload": dict,
}
SERVER = {"name": str, "version": str, "pid": int, "generation": int, "state": str, "start_time": str, "uptime_seconds": (int, float)}
WORKER = {
    "slot": int,
    "pid": int,
    "serial": int,
    "generation": int,
    "state": str,
    "age_seconds": (int, float),
    "requests_total": int,
    "requests_active": int,
    "rss_bytes": int,
    "last_heartbeat_seconds_ago": (int, float),
    "phase": str,
}
EXIT = {
    "time": str,
    "slot": int,
    "pid": int,
    "reason": str,
    "exit_code": (int, type(None)),
    "signal": (str, int, type(None)),
    "requests_total": int,
    "age_seconds": (int, float),
}


def check(document, shape):
    for name, kind in shape.items():
        assert name in document, f"{name} is missing"
        assert isinstance(document[name], kind), f"{name} is {document[name]!r}"


def test_schema(server):
    server.start(workers=2)
    status = server.status()
    check(status, TOP)
    check(status["server"], SERVER)
    assert status["schema"] == 1 and status["status"] == "pass"
    assert status["server"]["name"] == "gunwale" and status["server"]["pid"] == server.pid
    assert status["server"]["state"] == "running"
    start = datetime.datetime.fromisoformat(status["server"]["start_time"].replace("Z", "+00:00"))
    assert abs((datetime.datetime.now(datetime.timezone.utc) - start).total_seconds()) < 60
    assert status["workers_target"] == status["workers_current"] == 2
    assert [row["slot"] for row in status["workers"]] == [0, 1]
    for row in status["workers"]:
        check(row, WORKER)
        assert row["state"] == "serving" and row["phase"] == "serve"
        assert row["last_heartbeat_seconds_ago"] < 5
        assert 0.5 < row["rss_bytes"] / rss_bytes(row["pid"]) < 2
    (listener,) = status["listeners"]
    assert listener["address"] == server.listening[0]
    assert isinstance(listener["queue"], int) and listener["queue_max"] > 0


def test_requests_are_counted(server):
    server.start(workers=1)
    for _ in range(20):
        server.get("/")
    server.get("/nowhere")
    server.get("/raise")
    status = server.wait_status(lambda status: status["requests"]["total"] >= 22)
    assert status["requests"]["total"] == 22
    assert status["workers"][0]["requests_total"] == 22


def test_totals_survive_the_workers(server):
    server.start(workers=1, args=["--max-requests", "5"])
    sent = 0

    def enough(status):
        nonlocal sent
        assert server.get("/").code == 200
        sent += 1
        return len(status["exits"]) >= 3

    server.wait_status(enough)
    server.wait_status(lambda status: status["requests"]["total"] == sent)


def test_active_requests_are_shown(server):
    server.start(workers=1)
    with server.raw(timeout=30) as client:
        client.send_request("GET", f"/wait?until={server.folder}/go")
        server.wait_status(lambda status: status["workers"][0]["requests_active"] == 1)
        (server.folder / "go").touch()
        client.read_response()
    server.wait_status(lambda status: status["workers"][0]["requests_active"] == 0)


def test_exits_with_reasons(server):
    server.start(workers=2)
    first, second = server.workers()
    server.signal("KILL", first)
    server.wait_status(lambda status: len(status["exits"]) == 1)
    server.wait_workers(2)
    server.signal("TERM", second)
    status = server.wait_status(lambda status: len(status["exits"]) == 2)
    for row in status["exits"]:
        check(row, EXIT)
    killed, left = [row for row in status["exits"] if row["pid"] == first] + [
        row for row in status["exits"] if row["pid"] == second
    ]
    assert killed["signal"] in ("SIGKILL", 9) and killed["exit_code"] is None
    assert left["exit_code"] == 0 and left["signal"] is None
    assert killed["reason"] != left["reason"]


def test_every_read_finds_a_whole_document(server):
    """Written beside and renamed: no reader ever sees half of it, and nothing is left lying about."""
    server.start(workers=4, args=["--max-requests", "20"])
    inodes = set()
    with Load(server.address, clients=4) as load:

        def enough():
            with open(server.status_path) as file:
                inodes.add(os.fstat(file.fileno()).st_ino)
                json.load(file)
            return load.count > 1500

        wait_until(enough, 60 * SLOW)
        load.stop()
    load.check()
    server.stop()
    left = [name for name in os.listdir(server.folder) if "status" in name]
    assert left in ([], ["status.json"])


def test_events_are_written_at_once(server):
    """Not only each status_interval."""
    server.start(workers=1, args=["--status-interval", "60"])
    (old,) = server.workers()
    server.signal("KILL", old)
    server.wait_status(lambda status: status["exits"] and status["exits"][0]["pid"] == old, timeout=10)
    server.wait_workers(1, timeout=10)


def test_the_last_document_says_stopped(server):
    server.start(workers=1)
    server.stop()
    status = server.try_status()
    if status is not None:
        assert status["server"]["state"] in ("stopping", "stopped")
        assert status["workers_current"] == 0 and status["workers"] == []


def test_mode_and_unwritable_path(server):
    server.start(workers=1)
    mode = stat.S_IMODE(os.stat(server.status_path).st_mode)
    assert mode & 0o400 and not mode & 0o022


def test_an_unwritable_status_file_does_not_stop_the_service(server):
    server.spawn(["-b", "127.0.0.1:0", "--status-file", "/no/such/folder/status.json", "basic:app"])
    server.wait_listening()
    assert server.get("/").code == 200
    server.wait_log(r"status file|/no/such/folder/status\.json")
