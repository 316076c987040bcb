# SPDX-License-Identifier: MIT
"""SIGHUP: new code, new configuration, and nothing lost when they are broken."""

import pytest
from load import Load
from rawclient import RawClient, can_connect, free_port, wait_until
from test_signals import begin_slow, go
from versioned import SOURCE

pytestmark = pytest.mark.quick


def write_app(server, version):
    server.write("changing.py", SOURCE.format(version=version))


def reload(server):
    """HUP, and wait for its end. Returns a mark in the log."""
    mark = server.mark()
    generation = server.status()["server"]["generation"]
    server.signal("HUP")
    server.wait_log(r"\[INFO\] Handling signal: hup$", since=mark)
    server.wait_status(
        lambda status: status["server"]["generation"] > generation
        and len(status["workers"]) == status["workers_target"]
        and all(row["state"] == "serving" and row["generation"] > generation for row in status["workers"])
    )
    return mark


def test_hup_takes_new_code(server):
    write_app(server, "one")
    server.start("changing:app", workers=2)
    old = server.workers()
    assert server.get("/").text.startswith("one ")
    write_app(server, "two")
    mark = reload(server)
    assert server.get("/").text.startswith("two ")
    assert not set(old) & set(server.workers())
    server.wait_log(r"\[INFO\] Hang up: Master$", since=mark)


@pytest.mark.parametrize("preload", [False, True])
def test_hup_takes_new_code_with_and_without_preload(server, preload):
    write_app(server, "one")
    server.start("changing:app", args=["--preload"] if preload else [])
    for version in ("two", "three"):
        write_app(server, version)
        reload(server)
        assert server.get("/").text.startswith(version + " ")


def test_hup_takes_the_new_configuration(server):
    server.start(conf="workers = 1\nraw_env = ['STEP=one']\n")
    assert server.get("/facts").json()["env"]["STEP"] == "one"
    server.write("gunicorn.conf.py", "workers = 3\nraw_env = ['STEP=two']\nkeepalive = 7\n")
    reload(server)
    assert len(server.wait_workers(3)) == 3
    assert server.get("/facts").json()["env"]["STEP"] == "two"


def test_hup_undoes_ttin(server):
    server.start(workers=1)
    server.signal("TTIN")
    server.wait_workers(2)
    reload(server)
    server.wait_workers(1)


def test_hup_drops_variables_that_the_file_no_longer_sets(server):
    server.start(conf="raw_env = ['GONE=1']\n")
    assert "GONE" in server.get("/facts").json()["env"]
    server.write("gunicorn.conf.py", "raw_env = []\n")
    reload(server)
    assert "GONE" not in server.get("/facts").json()["env"]


def test_hup_can_move_to_another_address(server):
    first, second = free_port(), free_port()
    server.start(bind=None, conf=f"bind = '127.0.0.1:{first}'\n")
    server.write("gunicorn.conf.py", f"bind = ['127.0.0.1:{second}']\n")
    mark = reload(server)
    server.wait_log(rf"Listening at: http://127\.0\.0\.1:{second}", since=mark)
    with RawClient(("127.0.0.1", second)) as client:
        assert client.request().body == b"hello"
    wait_until(lambda: not server.can_connect())


def test_hup_can_widen_and_narrow_the_address_under_load(server):
    port = free_port()

    def conf(host):
        return f"bind = '{host}:{port}'\nworkers = 2\n"

    server.start(bind=None, conf=conf("127.0.0.1"))
    other = ("127.0.0.2", port)
    with Load(("127.0.0.1", port), clients=2, keep_alive=False) as load:
        for host, can_reach in (("0.0.0.0", True), ("", True), ("localhost", False), ("127.0.0.1", False), ("0.0.0.0", True)):
            server.write("gunicorn.conf.py", conf(host))
            reload(server)
            wait_until(lambda can_reach=can_reach: can_connect(other) == can_reach)
    load.check(at_least=10)
    # Broken code on the way there: the old address goes on, as if nothing had been tried.
    server.write("gunicorn.conf.py", conf("127.0.0.1") + "raw_env = ['no assignment']\n")
    with Load(("127.0.0.1", port), clients=2, keep_alive=False) as load:
        server.signal("HUP")
        server.wait_status(lambda status: status["reload"]["last_error"])
        assert can_connect(other)
    load.check()


@pytest.mark.parametrize(
    "text, why",
    [
        ("workers = 1 +\n", "SyntaxError"),
        ("raise ValueError('no configuration today')\n", "no configuration today"),
        ("workers = 'many'\n", "Invalid value for workers: many"),
        ("bind = '127.0.0.1:port'\n", "'port' is not a valid port number."),
    ],
)
def test_hup_with_broken_config_keeps_old_workers(server, text, why):
    bind = "bind = '127.0.0.1:0'\n"
    server.start(workers=2, bind=None, conf=bind + "keepalive = 3\n")
    old = server.workers()
    server.write("gunicorn.conf.py", text)
    mark = server.mark()
    server.signal("HUP")
    server.wait_log(r"\[ERROR\] .*[Rr]eload", since=mark)
    server.wait_log(why.replace("'", "."), since=mark)
    assert server.get("/").code == 200
    assert server.workers() == old
    status = server.wait_status(lambda status: status["reload"]["last_error"])
    assert status["status"] == "warn"
    # And the next good one works.
    server.write("gunicorn.conf.py", bind + "keepalive = 4\n")
    reload(server)
    assert not set(old) & set(server.workers())
    assert server.wait_status(lambda status: not status["reload"]["last_error"])


@pytest.mark.parametrize("preload", [False, True])
@pytest.mark.parametrize("text", ["def app(:\n", "raise RuntimeError('broken today')\n", "no_app = 1\n"])
def test_hup_with_broken_application_keeps_old_workers(server, text, preload):
    write_app(server, "one")
    server.start("changing:app", workers=2, args=["--preload"] if preload else [])
    old = server.workers()
    server.write("changing.py", text)
    mark = server.mark()
    server.signal("HUP")
    server.wait_log(r"\[ERROR\] .*[Rr]eload", since=mark)
    assert server.get("/").text.startswith("one ")
    assert server.workers() == old
    server.wait_status(lambda status: status["reload"]["last_error"])
    write_app(server, "two")
    reload(server)
    assert server.get("/").text.startswith("two ")


@pytest.mark.parametrize("keep_alive", [True, False])
def test_hup_under_load_loses_nothing(server, keep_alive):
    server.start(workers=2)
    with Load(server.address, keep_alive=keep_alive) as load:
        for _ in range(5):
            reload(server)
        load.stop()
    load.check(at_least=100)
    assert load.repeated <= load.count / 50


def test_hup_while_the_application_takes_long_to_import(server):
    """The old workers serve until the new ones can."""
    server.write("slow_import.py", "import time\nfrom basic import app\n")
    server.start("slow_import:app", workers=1)
    server.write("slow_import.py", "import time\ntime.sleep(2)\nfrom basic import app\n")
    with Load(server.address, clients=2, target="/") as load:
        reload(server)
        load.stop()
    load.check(at_least=50)


def test_hup_lets_running_requests_finish(server):
    server.start(workers=1)
    (old,) = server.workers()
    client = begin_slow(server)
    server.signal("HUP")
    server.wait_status(lambda status: any(row["state"] == "serving" and row["pid"] != old for row in status["workers"]))
    assert server.get("/pid").text != str(old)
    go(server)
    assert client.read_response().text == f"waited in {old}"
    server.wait_workers(1)


def test_many_hups_at_once_end_in_one_healthy_generation(server):
    server.start(workers=2)
    before = server.status()["server"]["generation"]
    for _ in range(10):
        server.signal("HUP")
    server.wait_status(lambda status: status["server"]["generation"] > before)
    server.wait_workers(2)
    reload(server)
    assert server.get("/").code == 200
    wait_until(lambda: len(server.children()) == 3, what="two workers and one template")


def test_term_in_the_middle_of_a_reload(server):
    server.write("slow_import.py", "import time\nfrom basic import app\n")
    server.start("slow_import:app", workers=2)
    server.write("slow_import.py", "import time\ntime.sleep(30)\nfrom basic import app\n")
    mark = server.mark()
    server.signal("HUP")
    server.wait_log("Handling signal: hup", since=mark)
    server.stop()


@pytest.mark.parametrize("kind", ["narrowed", "moved", "unix"])
def test_who_waits_at_an_address_that_is_given_up_is_answered(server, kind):
    port = free_port()
    old, new = {
        "narrowed": (f"0.0.0.0:{port}", f"127.0.0.1:{port}"),
        "moved": (f"127.0.0.1:{port}", "127.0.0.1:0"),
        "unix": ("unix:old.sock", "unix:new.sock"),
    }[kind]
    server.start(bind=None, conf=f"bind = '{old}'\n", workers=1)
    address = str(server.folder / "old.sock") if kind == "unix" else ("127.0.0.1", port)
    server.address = address
    busy = begin_slow(server)
    waiting = [RawClient(address, timeout=30) for _ in range(8)]
    for client in waiting[:6]:
        client.send_request("GET", "/pid")
    mark = server.mark()
    server.write("gunicorn.conf.py", f"bind = '{new}'\n")
    server.signal("HUP")
    server.wait_log(r"Generation 2 serves$", since=mark)
    server.wait_status(lambda status: any(row["state"] == "retiring" for row in status["workers"]))
    go(server)
    with busy:
        assert busy.read_response().code == 200
    for client in waiting:
        if client in waiting[6:]:
            client.send_request("GET", "/pid")
        with client:
            assert client.read_response().code == 200
