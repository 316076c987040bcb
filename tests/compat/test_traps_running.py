# SPDX-License-Identifier: MIT
"""Traps that show only while a server runs: the same for gunicorn and gunwale, one body for both."""

import os
import pathlib
import re
import signal
import socket
import sys

import pytest
from test_cli import GUNICORN, GUNWALE, pytestmark  # noqa: F401

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "e2e"))

import server as harness  # noqa: E402


@pytest.fixture(params=["gunicorn", "gunwale"])
def server(request, tmp_path):
    command = GUNICORN if request.param == "gunicorn" else GUNWALE
    one = harness.Server(tmp_path / "server")
    one.name = request.param

    def spawn(arguments, env=None, **popen):
        one.__class__.spawn(one, [*command[1:], *arguments], env=env, program=command[0], **popen)

    one.begin = spawn
    yield one
    one.finish()


def serve(server, arguments=(), env=None, conf="", bind="127.0.0.1:0", **popen):
    server.write("gunicorn.conf.py", conf)
    server.begin(["-b", bind, *arguments, "basic:app"], env=env, **popen)
    server.wait_listening()
    server.address = (server.address[0].strip("[]"), server.address[1])
    server.wait_log(r"Booting worker with pid: \d+")
    assert server.get("/").code == 200


def worker_pids(server):
    return [int(pid) for pid in re.findall(r"Booting worker with pid: (\d+)", server.log())]


@pytest.mark.parametrize("form", ["unix:{}", "unix://{}"])
def test_both_forms_of_a_unix_socket(server, form):
    path = server.folder / "sock"
    server.begin(["-b", form.format(path), "basic:app"])
    server.wait_log(rf"Listening at: unix:{path} ")
    server.address = str(path)
    server.wait_log(r"Booting worker with pid: \d+")
    assert server.get("/").code == 200


@pytest.mark.parametrize("bind", ["[::1]:0", "localhost:0"])
def test_addresses_by_name_and_family(server, bind):
    serve(server, bind=bind)


def test_a_variable_that_no_shell_saw_ends_the_start(server):
    server.write("gunicorn.conf.py", "bind = '0.0.0.0:$PORT'\n")
    server.begin(["basic:app"])
    server.wait_exit(1)
    assert server.log_contains(r"Error: '\$PORT' is not a valid port number\.")


def test_hup_by_the_pid_file(server):
    serve(server, ["-p", "the.pid"])
    (old,) = worker_pids(server)
    pid = int(server.read("the.pid"))
    assert pid == server.pid
    os.kill(pid, signal.SIGHUP)
    harness.wait_until(lambda: len(worker_pids(server)) == 2 and not harness.is_alive(old))
    assert server.get("/").code == 200
    server.stop()
    assert not (server.folder / "the.pid").exists()


def test_usr1_to_every_process_by_name(server):
    """logrotate's `killall -s USR1`: the children get it, too."""
    serve(server)
    for pid in harness.processes_of_session(server.pid):
        os.kill(pid, signal.SIGUSR1)
    for _ in range(3):
        assert server.get("/").code == 200
    assert len(worker_pids(server)) == 1


@pytest.mark.parametrize("name", ["TERM", "INT", "QUIT"])
def test_every_way_to_stop_leaves_with_zero(server, name):
    serve(server)
    server.signal(name)
    server.wait_exit(0)


def test_an_attribute_that_no_worker_has_stops_the_start(server):
    server.write("gunicorn.conf.py", "def post_fork(server, worker):\n    server.log.info('worker %s', worker.id)\n")
    server.begin(["-b", "127.0.0.1:0", "basic:app"])
    server.wait_exit(3)
    assert server.log_contains("AttributeError") and server.log_contains("Worker failed to boot")


def test_hooks_by_dotted_text_and_by_import_run(server):
    server.write("my_hooks.py", "def ready(server):\n    server.log.info('hook one')\n\ndef forked(server, worker):\n    worker.log.info('hook two')\n")
    serve(server, conf="when_ready = 'my_hooks.ready'\nfrom my_hooks import forked as post_fork\n")
    server.wait_log("hook one")
    server.wait_log("hook two")


def test_variables_reach_the_application(server):
    server.write("reads.py", "import os\nassert os.environ['SECRET'] == 'a=b c'\nfrom basic import app\n")
    server.begin(["-b", "127.0.0.1:0", "-e", "SECRET=a=b c", "reads:app"])
    server.wait_listening()
    server.wait_log(r"Booting worker with pid: \d+")
    assert server.get("/").code == 200


def test_sockets_of_a_service_manager(server):
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]

    def give():
        os.dup2(listener.fileno(), 3)
        os.set_inheritable(3, True)

    command = ["/bin/sh", "-c", 'LISTEN_PID=$$ LISTEN_FDS=1 exec "$@"', "sh"]
    server.__class__.spawn(
        server,
        [*command[1:], *(GUNICORN if server.name == "gunicorn" else GUNWALE), "basic:app"],
        program=command[0],
        preexec_fn=give,
        pass_fds=(3,),
    )
    server.wait_log(rf"Listening at: http://127\.0\.0\.1:{port} ")
    server.address = ("127.0.0.1", port)
    server.wait_log(r"Booting worker with pid: \d+")
    assert server.get("/").code == 200
    listener.close()


def test_read_before_a_worker_is_there_is_answered_later(server):
    """Health checks come as soon as the port is open."""
    server.write("late.py", "import time\ntime.sleep(0.5)\nfrom basic import app\n")
    server.begin(["-b", "127.0.0.1:0", "late:app"])
    server.wait_listening()
    assert server.get("/").code == 200
