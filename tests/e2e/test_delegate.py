# SPDX-License-Identifier: MIT
"""Worker classes that are none of ours: what is said, and --delegate-unknown-workers, which becomes the real gunicorn."""

import re

import pytest
from server import LISTENING, title, wait_until

OWN = """
from gunicorn.workers.sync import SyncWorker

class Mine(SyncWorker):
    def init_process(self):
        self.log.info("my own class")
        super().init_process()
"""
FOREIGN = {
    "eventlet": "gunicorn 26 removed it as well; use gevent, or gthread",
    "uvicorn.workers.UvicornWorker": "run the application with uvicorn itself",
    "aiohttp.GunicornWebWorker": "aiohttp's own server",
    "tornado": "Tornado",
    "my.Worker": "classes of one's own",
}


@pytest.mark.quick
@pytest.mark.parametrize("name", FOREIGN)
def test_a_foreign_class_is_refused_with_advice(server, name):
    done = server.run(["-k", name, "-b", "127.0.0.1:0", "basic:app"])
    assert done.returncode == 1
    assert done.stderr.startswith(f"\nError: Worker class '{name}' is not supported: "), done.stderr
    assert FOREIGN[name] in done.stderr and "--delegate-unknown-workers" in done.stderr
    assert done.stderr.count("\n") == 2


@pytest.mark.quick
def test_without_gunicorn_there_is_nobody_to_delegate_to(server, embedded_has):
    if embedded_has("gunicorn"):
        pytest.skip("the embedded Python has gunicorn")
    done = server.run(["--delegate-unknown-workers", "-k", "own.Mine", "basic:app"])
    assert done.returncode == 1
    assert re.search(r"Error: Worker class 'own\.Mine' needs gunicorn, which /\S+ does not have", done.stderr), done.stderr


def start_delegated(server, packages, arguments, env=None, conf=""):
    server.write("own.py", OWN)
    server.write("gunicorn.conf.py", conf)
    server.spawn(arguments, env={"VIRTUAL_ENV": packages, **(env or {})})
    match = server.wait_log(LISTENING)
    host, _, port = match.group(1).partition("//")[2].rpartition(":")
    server.address = (host, int(port))
    server.wait_log("my own class")


def test_gunicorn_runs_it_with_the_same_arguments(server, packages):
    arguments = ["--status-file=x.json", "-k", "own.Mine", "--delegate-unknown-workers", "--status-interval", "5"]
    start_delegated(server, packages, [*arguments, "-b", "127.0.0.1:0", "basic:app", "-n", "two words"])
    assert server.get("/").header("Server").startswith("gunicorn")
    assert "gunicorn" in title(server.pid) and "two words" in title(server.pid), "the same process"
    assert server.log_contains("Starting gunicorn ")
    assert not (server.folder / "x.json").exists()
    server.stop()


def test_the_environments_arguments_go_along(server, packages):
    env = {
        "GUNICORN_CMD_ARGS": "--name 'it''s' --status-file x.json",
        "GUNWALE_CMD_ARGS": f"--delegate-unknown-workers --bind 127.0.0.1:0 --python {packages}",
        "VIRTUAL_ENV": None,
    }
    start_delegated(server, packages, ["basic:app"], env, conf="import own\nworker_class = own.Mine\n")
    assert server.get("/").code == 200
    server.stop()


def test_a_class_of_ours_stays_ours(server, packages):
    server.start(args=["--delegate-unknown-workers", "-k", "sync"], env={"VIRTUAL_ENV": packages})
    assert server.get("/").header("Server") == "gunwale"


def test_a_reload_cannot_delegate(server, packages):
    server.write("own.py", OWN)
    server.start(conf="delegate_unknown_workers = True\n", env={"VIRTUAL_ENV": packages})
    server.write("gunicorn.conf.py", "delegate_unknown_workers = True\nworker_class = 'own.Mine'\n")
    server.signal("HUP")
    server.wait_log(r"\[ERROR\] .*Worker class 'own\.Mine' is gunicorn's: that takes a restart")
    assert wait_until(lambda: server.get("/").code == 200)
