# SPDX-License-Identifier: MIT
"""SIGUSR2: a new master beside the old one, on the same sockets; one of the two leaves, and no request is lost."""

import json
import os
import shutil
import signal
import socket
import stat

import pytest
import server as harness
from load import Load
from rawclient import RawClient, can_connect, wait_until
from server import SLOW, is_alive, parent_of, processes_of_session, title
from test_daemon import daemon  # noqa: F401
from test_systemd import activate, listen_unix, manager  # noqa: F401
from versioned import SOURCE


def status_of(path, pid):
    """The status document that master `pid` wrote; None before."""
    try:
        status = json.loads(path.read_text())
    except FileNotFoundError:
        return None
    return status if status["server"]["pid"] == pid else None


def second_path(server):
    return server.status_path.with_name(server.status_path.name + ".2")


def serving(status):
    return [row["pid"] for row in status["workers"] if row["state"] == "serving"]


def wait_serving(path, pid):
    """Until all workers of master `pid` serve; returns their pids."""

    def there():
        status = status_of(path, pid)
        return status and len(serving(status)) == status["workers_target"] and serving(status)

    return wait_until(there, 20 * SLOW, what=f"workers of master {pid}")


def wait_generation(path, pid, least):
    """Until master `pid` has reloaded and all its workers serve again."""

    def there():
        status = status_of(path, pid)
        return status and status["server"]["generation"] >= least and len(serving(status)) == status["workers_target"]

    wait_until(there, 20 * SLOW, what=f"generation {least} of master {pid}")


def wait_file(path, text):
    """Until the file holds that; it may be missing for a moment."""
    wait_until(lambda: path.exists() and path.read_text().split() == [text], 10 * SLOW, what=f"{text} in {path}")


def wait_gone(pid):
    wait_until(lambda: not is_alive(pid), 20 * SLOW, what=f"the end of {pid}")


def ask_upgrade(server, old):
    """USR2 to the old master; returns the new one's pid as soon as it is known."""
    mark = server.mark()
    os.kill(old, signal.SIGUSR2)
    return int(server.wait_log(r"Started a new master \(pid:(\d+)\)", since=mark).group(1))


def upgrade(server, old=None):
    """The same, and waits until the new master's workers serve."""
    new = ask_upgrade(server, old or server.pid)
    wait_serving(second_path(server), new)
    return new


def leave(server, old, new, how=signal.SIGTERM):
    """The old master leaves; waits until the new one is the only one."""
    mark = server.mark()
    os.kill(old, how)
    if old == server.pid:
        server.wait_exit(-how if how == signal.SIGKILL else 0)
    else:
        wait_gone(old)
    server.wait_log(r"\[INFO\] Master has been promoted\.$", since=mark)
    wait_serving(server.status_path, new)
    wait_until(lambda: not second_path(server).exists(), 10 * SLOW)


def end(pid):
    os.kill(pid, signal.SIGTERM)
    wait_gone(pid)


@pytest.mark.quick
@pytest.mark.parametrize("keep_alive", [True, False])
def test_a_new_master_takes_over_and_no_request_is_lost(server, keep_alive):
    server.start(workers=2, args=["--pid", "run.pid", "--name", "shop"])
    old_workers = server.workers()
    with Load(server.address, clients=4, keep_alive=keep_alive) as load:
        new = upgrade(server)
        assert server.read("run.pid").split() == [str(server.pid)]
        assert server.read("run.pid.2").split() == [str(new)]
        assert parent_of(new) == server.pid
        assert "master [shop.2]" in title(new) and "master [shop]" in title(server.pid)
        new_workers = wait_serving(second_path(server), new)
        leave(server, server.pid, new)
        wait_until(lambda: set(map(str, new_workers)) & set(load.answers), 20 * SLOW)
    load.check(at_least=20)
    assert set(load.answers) <= set(map(str, old_workers + new_workers))
    wait_file(server.folder / "run.pid", str(new))
    assert not (server.folder / "run.pid.2").exists()
    assert "master [shop]" in title(new)
    # The sockets are its own now: a reload keeps them, although the port was chosen by the kernel.
    os.kill(new, signal.SIGHUP)
    wait_generation(server.status_path, new, 2)
    assert server.get("/").code == 200
    end(new)
    assert not (server.folder / "run.pid").exists()
    assert not server.can_connect()


@pytest.mark.quick
def test_backing_out_leaves_everything_as_it_was(server):
    server.start(workers=1, bind="unix:run.sock", args=["--pid", "run.pid"])
    workers = server.workers()
    with Load(server.address, clients=2) as load:
        for how in (signal.SIGTERM, signal.SIGQUIT, signal.SIGKILL):
            new = upgrade(server)
            mark = server.mark()
            os.kill(new, how)
            server.wait_log(rf"The new master \(pid:{new}\) .*; this one goes on$", since=mark)
            assert server.read("run.pid").split() == [str(server.pid)]
            assert (server.folder / "run.pid.2").exists() == (how == signal.SIGKILL)
            assert server.get("/pid").text == str(workers[0])
    load.check()
    # Half way through with the last one, and then for good.
    new = upgrade(server)
    leave(server, server.pid, new, signal.SIGINT)
    assert server.get("/").code == 200
    end(new)
    assert not (server.folder / "run.sock").exists()


@pytest.mark.parametrize("name, text", [("changing.py", "def app(:\n"), ("gunicorn.conf.py", "raise ValueError('today')\n")])
def test_a_new_master_that_does_not_come_up_changes_nothing(server, name, text):
    server.write("changing.py", SOURCE.format(version="one"))
    server.start("changing:app", conf="", args=["--pid", "run.pid"])
    server.write(name, text)
    new = ask_upgrade(server, server.pid)
    server.wait_log(rf"\[ERROR\] The new master \(pid:{new}\) exited with code \d; this one goes on$")
    assert server.read("run.pid").split() == [str(server.pid)]
    assert not (server.folder / "run.pid.2").exists()
    assert server.get("/").text.startswith("one ")
    server.write("changing.py", SOURCE.format(version="two"))
    server.write("gunicorn.conf.py", "")
    new = upgrade(server)
    leave(server, server.pid, new)
    assert server.get("/").text.startswith("two ")
    end(new)


@pytest.mark.quick
def test_only_one_upgrade_at_a_time(server):
    server.start()
    new = upgrade(server)
    server.signal("USR2")
    server.wait_log(r"\[WARNING\] USR2 signal ignored\. Child exists\.$")
    os.kill(new, signal.SIGUSR2)
    server.wait_log(r"\[WARNING\] USR2 signal ignored\. Parent exists\.$")
    leave(server, server.pid, new)
    newer = upgrade(server, new)
    leave(server, new, newer)
    assert server.get("/").code == 200
    end(newer)


def test_a_killed_master_is_replaced_by_the_new_one(server):
    server.start(args=["--pid", "run.pid"])
    new = upgrade(server)
    leave(server, server.pid, new, signal.SIGKILL)
    assert server.read("run.pid").split() == [str(new)]
    assert server.get("/").code == 200
    end(new)


def test_every_socket_goes_along(server):
    server.start(bind="unix:first.sock", args=["--bind", "127.0.0.1:0", "--bind", "127.0.0.2:0", "--umask", "0o27"])
    addresses = [str(server.folder / "first.sock")]
    for text in server.listening[1:]:
        host, _, port = text.partition("//")[2].rpartition(":")
        addresses.append((host, int(port)))
    inode = (server.folder / "first.sock").stat().st_ino
    mark = server.mark()
    new = upgrade(server)
    found = server.wait_log(harness.LISTENING, since=mark)
    assert found.group(1).split(",") == server.listening and int(found.group(2)) == new
    leave(server, server.pid, new)
    for address in addresses:
        with RawClient(address, timeout=15 * SLOW) as client:
            assert client.request().body == b"hello"
    kept = (server.folder / "first.sock").stat()
    assert kept.st_ino == inode and stat.S_IMODE(kept.st_mode) == 0o750
    end(new)
    assert not (server.folder / "first.sock").exists()


HOOKS = """
import os

def note(text):
    with open("notes", "a") as notes:
        notes.write(text + "\\n")

note("file %s %s %s" % (os.environ.get("GUNICORN_PID"), os.environ.get("GIVEN"), os.environ.get("KEPT")))

def pre_exec(server):
    note("pre_exec %s" % os.environ.get("GUNICORN_PID"))

def on_starting(server):
    note("on_starting %s %s" % (os.environ.get("GUNICORN_PID"), os.environ.get("GUNICORN_FD", "").isdigit()))

def post_fork(server, worker):
    note("post_fork %s %s" % (os.environ.get("GUNICORN_PID"), os.environ.get("GUNICORN_FD")))

raw_env = ["KEPT=1"]
"""


def test_hooks_and_variables_are_gunicorns(server):
    server.start(conf=HOOKS, env={"GIVEN": "yes", "GUNICORN_PID": "1"})  # a left-over of somebody else
    new = upgrade(server)
    wait_until(lambda: server.read("notes").count("post_fork") == 2, 10 * SLOW)
    assert server.read("notes").splitlines() == [
        "file None yes None",
        "on_starting None False",
        "post_fork None None",
        "pre_exec None",
        f"file {server.pid} yes None",
        f"on_starting {server.pid} True",
        f"post_fork {server.pid} None",
    ]
    leave(server, server.pid, new)
    # Once promoted nothing reminds of the old one.
    os.kill(new, signal.SIGHUP)
    wait_until(lambda: "post_fork None None" in server.read("notes").splitlines()[7:], 15 * SLOW)
    end(new)


def test_a_pre_exec_hook_that_raises_is_the_end_of_it(server):
    server.start(conf="def pre_exec(server):\n    raise RuntimeError('not today')\n")
    server.signal("USR2")
    server.wait_log(r"RuntimeError: not today")
    server.wait_log(r"\[ERROR\] No new master: the pre_exec hook failed$")
    assert server.get("/").code == 200
    assert len(server.children()) == 2


@pytest.mark.parametrize("how", ["USR2", "HUP"])
def test_starts_where_the_old_one_was_started(server, how):
    """Relative paths count from there, also when a deployment has moved the link to it."""
    for version in ("one", "two"):
        release = server.folder / version
        (release / "app").mkdir(parents=True)
        (release / "lib").mkdir()
        (release / "app" / "served.py").write_text("from versioned_app import app\n")
        (release / "lib" / "versioned_app.py").write_text(SOURCE.format(version=version))
        (release / "conf.py").write_text("workers = 1\nchdir = 'app'\npythonpath = 'lib'\n")
    link = server.folder / "current"
    link.symlink_to("one")
    server.spawn(
        ["-b", "127.0.0.1:0", "--status-file", server.status_path, "--status-interval", "1", "-c", "conf.py", "--chdir", "app"]
        + ["--pythonpath", link / "lib", "served:app"],
        cwd=link,
        env={"PWD": link},
    )
    server.wait_listening()
    server.wait_ready()
    assert server.get("/").text.startswith("one ")
    link.unlink()
    link.symlink_to("two")
    if how == "HUP":
        server.signal("HUP")
        wait_generation(server.status_path, server.pid, 2)
        assert server.get("/").text.startswith("two ")
        return
    new = upgrade(server)
    leave(server, server.pid, new)
    assert server.get("/").text.startswith("two ")
    end(new)


def test_runs_the_program_that_lies_there_now(server):
    bin_folder = server.folder / "bin"
    bin_folder.mkdir()
    for name in ("gunwale", "gunwale-worker"):
        shutil.copy2(harness.BUILD / name, bin_folder / name)
    python_dir = os.environ.get("GUNWALE_PYTHONDIR") or harness.BUILD / "python"
    server.start(program=bin_folder / "gunwale", env={"GUNWALE_PYTHONDIR": python_dir})
    shutil.copy2(bin_folder / "gunwale", bin_folder / "gunwale.new")
    os.replace(bin_folder / "gunwale.new", bin_folder / "gunwale")
    assert os.readlink(f"/proc/{server.pid}/exe").endswith("(deleted)")
    new = upgrade(server)
    leave(server, server.pid, new)
    assert os.readlink(f"/proc/{new}/exe") == str(bin_folder / "gunwale")
    assert server.get("/").code == 200
    end(new)


def test_as_a_daemon_with_winch(server, daemon):  # noqa: F811
    """The whole dance of the manual: upgrade, let the old workers go, bring them back, leave."""
    server.log_path = server.folder / "error.log"
    session = os.getsid(daemon)
    old_workers = wait_serving(server.status_path, daemon)
    new = upgrade(server, daemon)
    assert server.read("run.pid").split() == [str(daemon)] and server.read("run.pid.2").split() == [str(new)]
    assert os.getsid(new) == session
    new_workers = wait_serving(second_path(server), new)
    os.kill(daemon, signal.SIGWINCH)
    wait_until(lambda: not any(map(is_alive, old_workers)), 15 * SLOW)
    with RawClient(server.address, timeout=15 * SLOW) as client:
        assert int(client.request("GET", "/pid").text) in new_workers
    os.kill(daemon, signal.SIGHUP)
    wait_generation(server.status_path, daemon, 2)
    # The new one is a daemon's master, too.
    os.kill(new, signal.SIGWINCH)
    wait_until(lambda: not any(map(is_alive, new_workers)), 15 * SLOW)
    os.kill(new, signal.SIGHUP)
    wait_generation(second_path(server), new, 2)
    os.kill(daemon, signal.SIGTERM)
    wait_gone(daemon)
    wait_file(server.folder / "run.pid", str(new))
    with RawClient(server.address, timeout=15 * SLOW) as client:
        assert client.request().body == b"hello"
    end(new)
    wait_until(lambda: not [pid for pid in processes_of_session(session) if is_alive(pid)], 10 * SLOW)
    assert not (server.folder / "run.pid").exists()


def test_the_service_manager_is_told_who_is_the_main_process(server, manager, activate):  # noqa: F811
    env = {**manager.env, "WATCHDOG_USEC": "200000"}
    activate([listen_unix(server.folder / "given.sock"), socket.create_server(("127.0.0.1", 0))], program_env=env)
    manager.wait(lambda m: "READY" in m)
    new = upgrade(server)
    leave(server, server.pid, new)
    at, _ = manager.wait(lambda m: m == {"MAINPID": str(new)})
    told, message = manager.wait(lambda m: "READY" in m, since=at)
    assert message["MAINPID"] == str(new)
    assert not [m for m in manager.messages[:at] if m.get("MAINPID") == str(new)]
    assert "STOPPING" not in manager.states()
    manager.wait(lambda m: "WATCHDOG" in m, since=told)
    assert can_connect(server.address)
    with RawClient(server.address, timeout=15 * SLOW) as client:
        assert client.request().body == b"hello"
    end(new)
    assert (server.folder / "given.sock").exists()
    manager.wait(lambda m: "STOPPING" in m, since=told)
