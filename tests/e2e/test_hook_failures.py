# SPDX-License-Identifier: MIT
"""Server hooks that raise or call sys.exit(): at the start they end it, later only sys.exit() does."""

import os
import signal

import pytest
from rawclient import wait_until
from server import SLOW

pytestmark = pytest.mark.quick

START = ["nworkers_changed(server, new, old)", "on_starting(server)", "when_ready(server)", "pre_fork(server, worker)"]


def fail(hook, statement):
    return f"import sys\ndef {hook}:\n    {statement}\n"


@pytest.mark.parametrize("hook", START)
def test_a_hook_of_the_start_that_raises_ends_it(server, hook):
    server.write("gunicorn.conf.py", fail(hook, "raise LookupError('no database')"))
    name = hook.partition("(")[0]
    done = server.run(["-b", "127.0.0.1:0", "basic:app"])
    assert done.returncode == (255 if name == "pre_fork" else 1)
    assert f"[ERROR] Exception in {name} hook\nTraceback" in done.stderr
    assert "LookupError: no database\n[" in done.stderr
    assert f"Reason: The {name} hook failed." in done.stderr


@pytest.mark.parametrize("hook", START)
def test_sys_exit_in_a_hook_of_the_start_gives_the_exit_code(server, hook):
    server.write("gunicorn.conf.py", fail(hook, "sys.exit(7)"))
    assert server.run(["-b", "127.0.0.1:0", "basic:app"]).returncode == 7


def test_after_a_failed_hook_of_the_start_no_other_hook_runs(server):
    conf = "def on_starting(server):\n    1 / 0\n" + "".join(
        f"def {name}({parameters}):\n    print('ran {name}', flush=True)\n"
        for name, parameters in (("when_ready", "server"), ("on_exit", "server"))
    )
    server.write("gunicorn.conf.py", conf)
    done = server.run(["-b", "127.0.0.1:0", "basic:app"])
    assert (done.returncode, done.stdout) == (1, "")


def test_a_message_of_sys_exit_is_said(server):
    server.write("gunicorn.conf.py", fail("on_starting(server)", "sys.exit('the disk is full')"))
    done = server.run(["-b", "127.0.0.1:0", "basic:app"])
    assert done.returncode == 1
    assert "the disk is full\n" in done.stderr


def test_a_hook_that_raises_later_is_logged_and_the_service_goes_on(server):
    server.start(conf=fail("child_exit(server, worker)", "1 / 0"))
    (before,) = server.workers()
    os.kill(before, signal.SIGKILL)
    server.wait_log(r"\[ERROR\] Exception in child_exit hook\nTraceback(.*\n)+?ZeroDivisionError: division by zero\n\[")
    wait_until(lambda: server.workers() not in ([], [before]))
    server.wait_ready()
    assert server.get("/").body == b"hello"
    server.stop()


def test_sys_exit_in_a_hook_later_ends_the_server_with_its_code(server):
    server.start(conf=fail("child_exit(server, worker)", "sys.exit(9)"))
    os.kill(server.workers()[0], signal.SIGKILL)
    server.wait_exit(9)
    assert server.log_contains(r"The child_exit hook called sys.exit\(9\)")


def test_sys_exit_in_the_last_hook_gives_the_exit_code(server):
    server.start(conf=fail("on_exit(server)", "sys.exit(5)"))
    server.signal("TERM")
    server.wait_exit(5)


def test_hooks_that_fall_due_while_the_template_is_replaced_run_in_the_next_one(server):
    server.start(
        workers=2,
        conf="""
        import os, time
        while os.path.exists("hold") and not os.path.exists("go"):
            time.sleep(0.01)
        def note(text):
            with open("notes", "a") as notes:
                notes.write(text + "\\n")
        def child_exit(server, worker):
            note("child_exit %d" % worker.pid)
        def nworkers_changed(server, new, old):
            note("nworkers_changed %s %s" % (new, old))
        """,
    )
    first, second = server.workers()
    server.write("hold", "")
    template = server.template()
    server.signal("KILL", template)
    server.wait_log(rf"Template \(pid:{template}\) was sent SIGKILL")
    for worker in (second, first):
        server.signal("KILL", worker)
        server.wait_log(rf"Worker \(pid:{worker}\) was sent SIGKILL")
    server.signal("TTIN")
    server.wait_status(lambda status: status["workers_target"] == 3)
    assert server.read("notes").splitlines() == ["nworkers_changed 2 None"]
    server.write("go", "")
    server.wait_workers(3)
    wait_until(lambda: server.read("notes").count("\n") == 4, 15 * SLOW)
    assert server.read("notes").splitlines()[1:] == [f"child_exit {second}", f"child_exit {first}", "nworkers_changed 3 2"]
    server.signal("HUP")  # gunicorn sets the number again, whether or not it is another one
    wait_until(lambda: "nworkers_changed 2 3" in server.read("notes").splitlines(), 15 * SLOW)
    server.signal("HUP")
    wait_until(lambda: "nworkers_changed 2 2" in server.read("notes").splitlines(), 15 * SLOW)
