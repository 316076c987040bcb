# SPDX-License-Identifier: MIT
"""max_requests: workers are replaced without a client noticing."""

import pytest
from load import Load
from rawclient import SLOW, wait_until

pytestmark = pytest.mark.quick


@pytest.mark.parametrize("keep_alive", [True, False])
def test_no_client_sees_an_error(server, keep_alive):
    server.start(workers=2, args=["--max-requests", "50", "--max-requests-jitter", "20"])
    with Load(server.address, clients=8, keep_alive=keep_alive) as load:
        wait_until(lambda: load.count > 3000 and len(load.answers) > 10, 60 * SLOW)
        load.stop()
    load.check(at_least=3000)
    assert load.repeated <= load.count / 20
    status = server.wait_status(lambda status: len(status["workers"]) == 2 and status["exits"])
    for row in status["exits"]:
        assert row["exit_code"] == 0, row
        assert row["requests_total"] >= 50, row
    assert not server.log_contains(r"\[(ERROR|CRITICAL|WARNING)\]")


def test_limit_is_reached_exactly_without_jitter(server):
    server.start(workers=1, args=["--max-requests", "10"])
    (old,) = server.workers()
    for _ in range(10):
        assert server.get("/pid").text == str(old)
    server.wait_log(r"\[INFO\] Autorestarting worker after current request\.$")
    server.wait_status(lambda status: [row["pid"] for row in status["workers"] if row["state"] == "serving"] not in ([], [old]))
    server.wait_workers(1)
    assert server.get("/pid").text != str(old)


def test_the_successor_is_ready_before_the_old_one_stops(server):
    """With a slow import there is always somebody who answers at once."""
    server.write("slow_import.py", "import time\ntime.sleep(1)\nfrom basic import app\n")
    server.start("slow_import:app", workers=1, args=["--max-requests", "100"])
    with Load(server.address, clients=2) as load:
        wait_until(lambda: len(load.answers) >= 3, 40 * SLOW)
        load.stop()
    load.check()


def test_connections_in_hand_are_answered_by_the_old_worker(server):
    server.start(workers=1, args=["--max-requests", "3"])
    (old,) = server.workers()
    with server.raw() as first:
        assert first.request("GET", "/pid").text == str(old)
        assert first.request("GET", "/pid").text == str(old)
        # Half of a request is with the old worker when it reaches its limit.
        with server.raw() as half:
            half.send(b"GET /pid HTTP/1.1\r\nHost: h\r\n")
            assert first.request("GET", "/pid").text == str(old)
            server.wait_status(lambda status: any(row["state"] == "serving" and row["pid"] != old for row in status["workers"]))
            half.send(b"\r\n")
            response = half.read_response()
            assert response.text == str(old) and response.header("Connection") == "close"
    server.wait_workers(1)


def test_one_request_per_worker(server):
    server.start(workers=2, args=["--max-requests", "1"])
    for _ in range(10):
        assert server.get("/pid").code == 200
    server.wait_workers(2)


def test_jitter_spreads_the_limits(server):
    server.start(workers=8, args=["--max-requests", "20", "--max-requests-jitter", "1000"])
    limits = [row["request_limit"] for row in server.status()["workers"]]
    assert len(limits) == 8 and all(20 <= limit <= 1020 for limit in limits)
    assert len(set(limits)) > 1, "all workers have the same limit"


def test_without_jitter_every_worker_has_the_limit(server):
    server.start(workers=3, args=["--max-requests", "20"])
    assert [row["request_limit"] for row in server.status()["workers"]] == [20, 20, 20]
