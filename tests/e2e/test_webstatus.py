# SPDX-License-Identifier: MIT
"""status_bind: the status over HTTP, for probes, scrapers and whoever sends them something odd."""

import contextlib
import json
import os
import socket
import stat
import time

import pytest
from rawclient import RawClient, can_connect, free_port, wait_until
from server import SLOW, open_fds
from test_upgrade import upgrade

pytestmark = pytest.mark.quick


def web_of(server, since=0):
    """(host, port) or the path, from the log."""
    name = server.wait_log(r"Status at: (\S+)", since=since).group(1)
    if name.startswith("unix:"):
        return name[len("unix:") :]
    host, _, port = name.partition("//")[2].rpartition(":")
    return host.strip("[]"), int(port)


@pytest.fixture
def start(server):
    def run(args=(), bind="127.0.0.1:0", **more):
        server.start(args=["--status-bind", bind, *args], **more)
        server.web = web_of(server)
        return server

    return run


def get(server, target="/status", method="GET", **more):
    with RawClient(server.web, timeout=15 * SLOW) as client:
        response = client.request(method, target, **more)
        assert response.header("Connection") == "close"
        client.expect_close()
    return response


def reload(server, conf):
    mark = server.mark()
    failed, generation = server.status()["reload"]["failed_total"], server.status()["server"]["generation"]
    server.write("gunicorn.conf.py", conf)
    server.signal("HUP")
    server.wait_status(
        lambda status: status["reload"]["state"] == "idle"
        and (status["server"]["generation"] > generation or status["reload"]["failed_total"] > failed)
    )
    return mark


def test_the_pages(start, server):
    start(workers=2)
    response = get(server)
    assert response.code == 200 and response.header("Content-Type") == "application/json"
    assert response.header("Cache-Control") == "no-store" and response.header("Date").endswith(" GMT")
    status = response.json()
    assert status["server"]["pid"] == server.pid and status["workers_current"] == 2
    health = get(server, "/health")
    assert (health.code, health.header("Content-Type")) == (200, "application/health+json")
    assert health.json()["status"] == "pass"
    ready = get(server, "/ready")
    assert (ready.code, ready.json()) == (200, {"status": "pass"})
    metrics = get(server, "/metrics")
    assert metrics.header("Content-Type") == "text/plain; version=0.0.4; charset=utf-8"
    assert "\ngunwale_workers_serving 2\n" in metrics.text
    assert get(server, "/status?format=uwsgi").json()["workers"][0]["id"] == 1
    assert get(server, "/status?a=b&format=puma&c").json()["booted_workers"] == 2
    assert get(server, "/status?format=prometheus").header("Content-Type").startswith("text/plain")
    assert get(server, "/status?format=json").json()["schema"] == 1


def test_what_there_is_not(start, server):
    start(workers=1)
    assert get(server, "/").code == get(server, "/status/").code == get(server, "/statusx").code == 404
    assert get(server, "/%73tatus").code == 404
    refused = get(server, "/status?format=xml")
    assert refused.code == 400 and "prometheus" in refused.text
    for method in ("POST", "PUT", "DELETE", "OPTIONS", "get"):
        response = get(server, method=method, body=b"x=1")
        assert response.code == 405 and response.header("Allow") == "GET, HEAD"


def test_head_has_no_body(start, server):
    start(workers=1)
    response = get(server, "/health", method="HEAD")
    assert response.code == 200 and int(response.header("Content-Length")) > 50
    assert get(server, "/nowhere", method="HEAD").code == 404


def test_every_connection_is_for_one_request(start, server):
    start(workers=1)
    with RawClient(server.web) as client:
        client.send(b"GET /ready HTTP/1.1\r\nConnection: keep-alive\r\n\r\n" * 3)
        assert client.read_response().header("Connection") == "close"
        client.expect_close()


@pytest.mark.parametrize(
    "head",
    [
        b"GET /status HTTP/1.1\n\n",
        b"GET /status\r\n\r\n",
        b"GET /status HTTP/3\r\n\r\n",
        b"GET http://x/status HTTP/1.1\r\n\r\n",
        b"GET /status HTTP/1.1\r\nHost\r\n\r\n",
        b"GET /status HTTP/1.1\r\nA: b\r\n folded\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"\0" * 100,
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ],
    ids=repr,
)
def test_what_is_no_http_is_refused_at_once(start, server, head):
    start(workers=1)
    with RawClient(server.web, timeout=4) as client:
        client.send(head)
        assert client.read_response().code == 400
        client.expect_close()


def test_a_large_head_is_refused(start, server):
    start(workers=1)
    with RawClient(server.web) as client:
        client.send(b"GET /status HTTP/1.1\r\n" + b"X: " + b"y" * 5000)
        assert client.read_response().code == 431
        client.expect_close()
    response = get(server, headers={"X": "y" * 3900})
    assert response.code == 200


def test_an_answer_arrives_though_the_client_says_more(start, server):
    """Closing with unread bytes would be a reset, which can overtake the answer."""
    start(workers=1)
    with RawClient(server.web) as client:
        client.send(b"POST /status HTTP/1.1\r\nContent-Length: 50000\r\n\r\n")
        client.send(b"x" * 50000)
        assert client.read_response().code == 405
        client.expect_close()


def test_who_is_slow_to_ask_is_dropped(start, server):
    start(workers=1)
    begun = time.monotonic()
    with RawClient(server.web) as client:
        client.send(b"GET /sta")
        client.sock.settimeout(0.3)
        more = True
        while more:  # bytes now and then win no time
            with contextlib.suppress(TimeoutError):
                more = client.more()
            with contextlib.suppress(OSError):
                client.send(b"t")
            assert time.monotonic() - begun < 5 + 10 * SLOW
    assert not client.buffer
    assert time.monotonic() - begun > 4


def test_who_never_reads_is_dropped(start, server):
    start(workers=1)
    fds = len(open_fds(server.pid))
    clients = []
    for _ in range(30):
        client = RawClient(server.web, receive_buffer=1024)
        client.send(b"GET /metrics HTTP/1.1\r\n\r\n")
        clients.append(client)
    assert get(server, "/ready").code == 200
    wait_until(lambda: len(open_fds(server.pid)) <= fds, 15 * SLOW)
    for client in clients:
        client.close()


def test_many_connections_keep_nobody_out(start, server):
    start(workers=1)
    fds = len(open_fds(server.pid))
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(RawClient(server.web)) for _ in range(200)]
        assert get(server, "/ready").code == 200
        assert len(open_fds(server.pid)) <= fds + 64
        wait_until(lambda: clients[0].is_closed_by_server(), 5 * SLOW)
        clients[-1].send(b"GET /ready HTTP/1.1\r\n\r\n")
        assert clients[-1].read_response().code == 200
        assert server.get("/").code == 200


def test_it_answers_while_all_workers_are_busy(start, server):
    start(workers=2)
    with contextlib.ExitStack() as stack:
        for _ in range(2):
            stack.enter_context(server.raw()).send_request("GET", f"/wait?until={server.folder}/go")
        wait_until(lambda: get(server).json()["requests"]["active"] == 2, 15 * SLOW)
        rows = get(server).json()["workers"]
        assert {request["path"] for row in rows for request in row["requests_in_flight"]} == {"/wait"}
        assert get(server, "/health").code == get(server, "/ready").code == 200
        (server.folder / "go").touch()


def test_answers_are_a_little_old_so_that_questions_are_cheap(start, server):
    start(workers=1)

    def time_of():
        return get(server).json()["server"]["time"]

    begun = time.monotonic()
    times = {time_of() for _ in range(100)}
    assert len(times) <= (time.monotonic() - begun) / 0.1 + 1
    wait_until(lambda: time_of() not in times, 5 * SLOW)


def test_not_ready_before_the_first_worker_serves_and_while_it_stops(server):
    server.write(
        "slow.py",
        """
        import os, time
        while not os.path.exists("go"):
            time.sleep(0.01)
        from basic import app
        """,
    )
    server.start("slow:app", workers=1, args=["--status-bind", "127.0.0.1:0", "--pythonpath", server.folder], ready=False)
    server.web = web_of(server)
    assert get(server, "/ready").code == 503
    health = get(server, "/health")
    assert health.code == 200 and health.json()["status"] == "warn"
    assert get(server).json()["server"]["state"] in ("starting", "running")
    (server.folder / "go").touch()
    wait_until(lambda: get(server, "/ready").code == 200, 15 * SLOW)
    with server.raw() as client:
        client.send_request("GET", f"/wait?until={server.folder}/done")
        wait_until(lambda: get(server).json()["requests"]["active"] == 1, 15 * SLOW)
        server.signal("TERM")
        wait_until(lambda: get(server, "/ready").code == 503, 15 * SLOW)
        wait_until(lambda: get(server, "/health").code == 503, 15 * SLOW)
        assert get(server).json()["server"]["state"] == "stopping"
        (server.folder / "done").touch()
        assert client.read_response().code == 200
    server.wait_exit()
    assert not can_connect(server.web)


def test_a_failed_reload_is_a_warning(start, server):
    start(conf="workers = 1\n")
    assert get(server, "/health").json()["checks"]["workers:serving"][0]["observedValue"] == 1
    server.write("basic.py", "raise RuntimeError('broken')\n")
    reload(server, f"workers = 1\nimport sys; sys.path.insert(0, {str(server.folder)!r})\n")
    wait_until(lambda: get(server, "/health").json()["status"] == "warn", 15 * SLOW)
    health = get(server, "/health")
    assert health.code == 200 and "broken" in health.json()["output"]
    assert get(server, "/ready").code == 200


def test_a_unix_socket_is_for_its_owner_alone(server):
    path = server.folder / "web"
    server.start(workers=1, args=["--status-bind", f"unix:{path}"], umask=0)
    server.web = str(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert get(server, "/ready").code == 200
    server.signal("KILL")
    server.wait_exit(code=-9)
    assert path.is_socket()
    server.start(workers=1, args=["--status-bind", f"unix:{path}"])
    assert get(server, "/ready").code == 200
    server.stop()
    assert not path.exists()


def test_ipv6(server):
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("no IPv6 here")
    server.start(workers=1, args=["--status-bind", "[::1]:0"])
    server.web = web_of(server)
    assert get(server, "/ready").code == 200


@pytest.mark.parametrize(
    ("bind", "sentence"),
    [
        ("9100", "status_bind is HOST:PORT or unix:PATH, not '9100'"),
        ("fd://3", "status_bind is HOST:PORT or unix:PATH, not 'fd://3'"),
        ("127.0.0.1:x", "status_bind '127.0.0.1:x': 'x' is not a valid port number."),
        ("127.0.0.1:70000", "is not a valid port number."),
        ("unix:", "names no path"),
    ],
)
def test_an_address_that_is_none_is_a_mistake_of_the_configuration(server, bind, sentence):
    for arguments in (["--check-config"], ["-b", "127.0.0.1:0"]):
        done = server.run([*arguments, "--status-bind", bind, "basic:app"])
        assert done.returncode == 1
        assert sentence in done.stderr
        assert "Starting" not in done.stderr


def test_an_address_that_cannot_be_bound_ends_the_start(server):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = server.run(
            ["-b", "127.0.0.1:0", "-p", "pid", "--status-file", "s", "--status-bind", f"127.0.0.1:{port}", "basic:app"]
        )
    assert done.returncode == 1
    assert done.stderr.count("[ERROR]") == 1
    assert f"status_bind: connection to ('127.0.0.1', {port}) failed: [Errno 98] Address already in use" in done.stderr
    assert not (server.folder / "pid").exists()
    for bind in ("192.0.2.1:80", "unix:/no/such/folder/x"):
        done = server.run(["-b", "127.0.0.1:0", "--status-bind", bind, "basic:app"])
        assert done.returncode == 1 and "status_bind: " in done.stderr


def test_a_reload_moves_it_and_takes_it_away(server):
    server.start(conf="status_bind = '127.0.0.1:0'\n")
    server.web = first = web_of(server)
    reload(server, "status_bind = '127.0.0.1:0'\n")
    assert get(server, "/ready").code == 200, "the same address stays"
    mark = reload(server, "status_bind = 'localhost:0'\n")
    server.web = second = web_of(server, mark)
    assert second != first and get(server, "/ready").code == 200
    assert not can_connect(first)
    # The same port at another host.
    mark = reload(server, f"status_bind = '0.0.0.0:{second[1]}'\n")
    assert web_of(server, mark) == ("0.0.0.0", second[1])
    assert get(server, "/ready").code == 200
    mark = reload(server, f"status_bind = '127.0.0.1:{second[1]}'\n")
    assert web_of(server, mark) == second
    assert get(server, "/ready").code == 200
    reload(server, "")
    assert not can_connect(second)


def test_a_reload_to_a_bad_address_keeps_the_old_one(server):
    server.start(conf="status_bind = '127.0.0.1:0'\n")
    server.web = web_of(server)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        mark = reload(server, f"status_bind = '127.0.0.1:{taken.getsockname()[1]}'\nworkers = 2\n")
        server.wait_log(r"\[ERROR\] status_bind: .*Address already in use", since=mark)
        assert get(server, "/ready").code == 200
        server.wait_workers(2)
    mark = reload(server, "status_bind = 'nonsense'\nworkers = 3\n")
    server.wait_log(r"\[ERROR\] Reload failed, .*status_bind is HOST:PORT", since=mark)
    assert get(server).json()["workers_target"] == 2


def test_a_new_master_takes_the_address_when_the_old_one_has_left(server):
    port = free_port()
    server.start(workers=1, args=["--status-bind", f"127.0.0.1:{port}", "--status-interval", "1"])
    server.web = ("127.0.0.1", port)
    old = server.pid
    assert get(server).json()["server"]["pid"] == old
    mark = server.mark()
    new = upgrade(server)
    assert get(server).json()["server"]["pid"] == old
    assert not server.log_contains(r"\[ERROR\]", since=mark)
    server.signal("TERM", old)
    server.wait_exit()
    wait_until(lambda: can_connect(server.web), 15 * SLOW)
    assert get(server).json()["server"]["pid"] == new
    os.kill(new, 15)


def test_documents_are_whole_while_workers_die(start, server):
    start(workers=4, args=["--max-requests", "3"])
    pids = set()

    def enough():
        server.get("/")
        status = json.loads(get(server).text)
        pids.update(row["pid"] for row in status["workers"])
        return len(pids) > 12

    wait_until(enough, 60 * SLOW)
