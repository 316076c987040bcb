# SPDX-License-Identifier: MIT
"""The program gunwale-worker alone: configuration, hooks, forks, signals and ends, with a test in the master's place."""

import contextlib
import errno
import json
import os
import re
import signal
import socket
import subprocess
import textwrap
import time

import pytest
from fakemaster import CHECK, Link, Master, wait_until
from fakemaster import HOOKS as HOOK_NAMES
from server import CLEARED, PROGRAM

WORKER_PROGRAM = os.environ.get("GUNWALE_WORKER", str(PROGRAM.parent / "gunwale-worker"))
pytestmark = pytest.mark.quick

APP = """
    import json, os, signal, sys

    facts = {"loaded_by": os.getpid()}

    def app(environ, start_response):
        facts.update(pid=os.getpid(), ppid=os.getppid(), argv=sys.argv, path=sys.path, prefix=sys.prefix,
                     executable=sys.executable, cwd=os.getcwd(), environ=dict(os.environ), uid=os.getuid(),
                     groups=[os.getgid(), *os.getgroups()])
        body = json.dumps(facts).encode()
        start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
        return [body]
"""


@pytest.fixture
def begin(tmp_path):
    """Starts templates in a folder with an application; extra files by name."""
    made = []

    def start(env=None, user=None, **files):
        for name, text in {"app.py": APP, **files}.items():
            (tmp_path / name.replace("__", ".")).write_text(textwrap.dedent(text))
        environ = {key: value for key, value in os.environ.items() if key not in CLEARED}
        if "GUNWALE_PYTHONDIR" in os.environ:
            environ["GUNWALE_PYTHONDIR"] = os.environ["GUNWALE_PYTHONDIR"]
        made.append(Master(WORKER_PROGRAM, tmp_path, env, environ, user))
        return made[-1]

    yield start
    for master in made:
        master.close()


def facts(master):
    return json.loads(master.ask().partition("\r\n\r\n")[2])


def failure(master):
    failed = master.link.expect("failed")
    assert master.process.wait(10) == failed["exit_code"]
    return failed["exit_code"], failed["text"]


def serve(master, **kwargs):
    """One worker that is ready."""
    worker = master.fork(**kwargs)
    worker.link.expect("ready")
    return worker


# Start


def test_a_start_by_hand_is_explained():
    ran = subprocess.run([WORKER_PROGRAM], capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)
    assert ran.returncode == 1
    assert "not by hand" in ran.stderr and ran.stderr.count("\n") == 1


def test_the_worker_is_the_masters_child_with_the_right_python(begin):
    master = begin()
    master.start()
    worker = serve(master)
    got = facts(master)
    assert got["pid"] == worker.pid == got["loaded_by"]
    assert got["ppid"] == os.getpid()
    assert got["argv"] == ["/usr/bin/gunwale", "app:app"]
    assert got["path"][0] == master.directory
    assert not [entry for entry in got["path"] if os.path.exists(os.path.join(entry, "gunwale"))]
    seen = subprocess.run([got["executable"], "-c", "import sys; print(sys.prefix)"], capture_output=True, text=True,
                          check=True)
    assert seen.stdout.strip() == got["prefix"]
    assert got["environ"]["SERVER_SOFTWARE"].startswith("gunwale/")


def make_venv(python, path):
    subprocess.run([python, "-m", "venv", "--without-pip", str(path)], check=True)


def python_of(master):
    master.start()
    serve(master)
    return facts(master)["executable"]


def test_an_active_virtual_environment_is_used(begin, tmp_path):
    base = python_of(begin())
    make_venv(base, tmp_path / "venv")
    master = begin(env={"VIRTUAL_ENV": str(tmp_path / "venv")})
    master.start()
    serve(master)
    got = facts(master)
    assert got["prefix"] == str(tmp_path / "venv")
    assert got["executable"] == str(tmp_path / "venv/bin/python3")
    assert [entry for entry in got["path"] if entry.startswith(str(tmp_path / "venv/lib"))]


def test_an_environment_of_another_python_is_refused_in_words(begin, tmp_path):
    (tmp_path / "venv/bin").mkdir(parents=True)
    (tmp_path / "venv/pyvenv.cfg").write_text("home = /usr/bin\nversion = 3.2.1\n")
    code, text = failure(begin(env={"VIRTUAL_ENV": str(tmp_path / "venv")}))
    assert code == 1 and "is of Python 3.2.1" in text


# Configuration file


def test_settings_become_json_and_other_names_are_ignored(begin):
    master = begin(gunicorn__conf__py="""
        import logging
        workers = 2 + 1
        bind = ("127.0.0.1:0", "unix:/tmp/x")
        timeout = 0.5
        Workers = 9
        keepallive = 1
        user = None
        secure_scheme_headers = {"X-A": "b"}
        class logger_class(logging.Logger):
            pass
    """.replace("__", "."))
    values = master.configured()
    assert values["workers"] == 3 and values["timeout"] == 0.5 and values["user"] is None
    assert values["bind"] == ["127.0.0.1:0", "unix:/tmp/x"]
    assert values["secure_scheme_headers"] == {"X-A": "b"}
    assert values["logger_class"] == {"__python__": "<logger_class()>"}
    assert set(values) == {"workers", "bind", "timeout", "user", "secure_scheme_headers", "logger_class"}


@pytest.mark.parametrize("location", ["other.py", "file:other.py", "python:other", "{directory}/other.py"])
def test_every_way_to_name_a_configuration(begin, location):
    master = begin(other__py="workers = 7\n", gunicorn__conf__py="workers = 1\n")
    assert master.configured(location.format(directory=master.directory)) == {"workers": 7}


def test_an_edit_within_the_same_second_counts(begin, tmp_path):
    first = begin(gunicorn__conf__py="workers = 1\n")
    stamp = os.stat(tmp_path / "gunicorn.conf.py").st_mtime_ns
    assert first.configured() == {"workers": 1}
    second = begin(gunicorn__conf__py="workers = 2\n")
    os.utime(tmp_path / "gunicorn.conf.py", ns=(stamp, stamp))
    assert second.configured() == {"workers": 2}


def test_a_file_without_the_extension_is_read_with_a_warning(begin):
    master = begin(settings="workers = 4\n")
    assert master.configured("settings") == {"workers": 4}
    assert "!!! WARNING: configuration file should have a valid Python extension." in master.output()


def test_a_missing_file(begin):
    master = begin()
    master.configure("nowhere.py")
    assert failure(master) == (1, "\nError: 'nowhere.py' doesn't exist")


def test_a_broken_file(begin):
    master = begin(gunicorn__conf__py="workers = 1\nraise ValueError('no')\n")
    master.configure()
    code, text = failure(master)
    assert code == 1
    assert re.match(r"Failed to read config file: /\S+/gunicorn\.conf\.py\nTraceback \(most recent call last\):\n", text)
    assert text.endswith("ValueError: no")


@pytest.mark.parametrize("leave, code", [("sys.exit(7)", 7), ("sys.exit()", 0), ("sys.exit('bye')", 1)])
def test_a_file_may_exit(begin, leave, code):
    master = begin(gunicorn__conf__py=f"import sys\n{leave}\n")
    master.configure()
    assert failure(master)[0] == code


@pytest.mark.parametrize("hook, why", [
    ("def pre_fork(server):\n    pass\n", "Value must have an arity of: 2"),
    ("def post_fork(*args):\n    pass\n", "Value must have an arity of: 2"),
    ("def when_ready(server, extra=1):\n    pass\n", "Value must have an arity of: 1"),
    ("def post_request(one):\n    pass\n", "Value must have an arity of: 4"),
    ("on_exit = 5\n", "Value is not callable: 5"),
    ("on_exit = 'nodots'\n", "Value 'nodots' is not import string. Format: module[.submodules...].object"),
    ("on_exit = 'app.nothing'\n", "Can not load 'nothing' from 'app'"),
])
def test_a_wrong_hook_is_refused(begin, hook, why):
    master = begin(gunicorn__conf__py=hook)
    master.configure()
    code, text = failure(master)
    assert code == 1 and text.startswith("Invalid value for ") and text.endswith(f"\nError: {why}")


def test_nothing_to_serve(begin):
    master = begin()
    master.configured()
    master.go("")
    assert failure(master) == (1, "\nError: No application module specified.")


# Preparation


def test_environment_directory_and_path(begin, tmp_path):
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "inner.py").write_text(textwrap.dedent(APP))
    master = begin()
    master.start("inner:app", chdir=str(tmp_path / "sub"), raw_env=["A=b=c"], pythonpath="x,/y")
    serve(master)
    got = facts(master)
    assert got["cwd"] == str(tmp_path / "sub") and got["environ"]["A"] == "b=c"
    assert got["path"][:4] == ["/y", str(tmp_path / "sub" / "x"), str(tmp_path / "sub"), str(tmp_path)]


@pytest.mark.parametrize("settings, why", [
    ({"raw_env": ["novalue"]}, "environment setting 'novalue' invalid"),
    ({"chdir": "/does/not/exist"}, "can't chdir to '/does/not/exist'"),
])
def test_a_preparation_that_fails(begin, settings, why):
    master = begin()
    master.configured()
    master.go(**settings)
    code, text = failure(master)
    assert code == 1 and text.startswith("\nError: ") and why in text


def test_an_error_log_that_is_not_writable(begin):
    master = begin()
    master.configured()
    master.go(errorlog="/does/not/exist.log")
    code, text = failure(master)
    assert code == 1 and text.startswith("\nError: Error: '/does/not/exist.log' isn't writable [")


# The application


FACTORIES = APP + """
    def make(first="a", *, second=2):
        if first == "inner":
            return len(5)
        facts["made"] = [first, second]
        return app

    def none():
        return None

    number = 5
    application = app
"""


@pytest.mark.parametrize("name, made", [
    ("forms", None), ("forms:app", None), ("forms:make()", ["a", 2]), ("forms:make('x', second=[1, {'k': None}])",
                                                                       ["x", [1, {"k": None}]]),
])
def test_every_form_of_the_applications_name(begin, name, made):
    master = begin(forms__py=FACTORIES)
    master.start(name)
    serve(master)
    assert facts(master).get("made") == made


@pytest.mark.parametrize("name, why", [
    ("forms:missing", "Failed to find attribute 'missing' in 'forms'."),
    ("forms:none()", "Failed to find application object: 'none()'"),
    ("forms:number", "Application object must be callable."),
    ("forms:app.attr", "Failed to parse 'app.attr' as an attribute name or function call."),
    ("forms:make(x)", "Failed to parse 'make(x)' as an attribute name or function call."),
    ("forms:a.make()", "Function reference must be a simple name: 'a.make()'"),
    ("forms:make(", "Failed to parse 'make(' as an attribute name or function call."),
    ("forms:make(1, 2)", "TypeError: make() takes from 0 to 1 positional arguments but 2 were given"),
])
def test_no_application_there_ends_the_worker_with_4(begin, name, why):
    master = begin(forms__py=FACTORIES)
    master.start(name)
    worker = master.fork()
    assert worker.link.receive() is None
    assert worker.exit_code() == 4
    assert f"\n{why}\n" in master.output() and "Traceback" not in master.output()


@pytest.mark.parametrize("name, why", [
    ("broken:app", "ZeroDivisionError: division by zero"),
    ("absent:app", "ModuleNotFoundError: No module named 'absent'"),
    ("forms:make('inner')", "TypeError: object of type 'int' has no len()"),
    ("forms.py:app", "ImportError: Failed to find application, did you mean 'forms:app'?"),
])
def test_an_application_that_does_not_load_ends_the_worker_with_3(begin, name, why):
    master = begin(forms__py=FACTORIES, broken__py="1 / 0\n")
    master.start(name)
    worker = master.fork()
    assert worker.link.receive() is None
    assert worker.exit_code() == 3
    assert "[ERROR] Exception in worker process\nTraceback (most recent call last):\n" in master.output()
    assert f"\n{why}\n" in master.output()
    assert f"Worker exiting (pid: {worker.pid})" in master.output()


def test_preload_imports_once_for_all(begin):
    master = begin()
    master.start(preload_app=True)
    workers = [serve(master), serve(master)]
    assert facts(master)["loaded_by"] == master.process.pid
    assert len({worker.pid for worker in workers}) == 2


def test_preload_that_fails_is_told_as_a_traceback(begin):
    master = begin(broken__py="1 / 0\n")
    master.configured()
    master.go("broken:app", preload_app=True)
    code, text = failure(master)
    assert code == 1
    assert text.startswith("Traceback (most recent call last):") and text.endswith("ZeroDivisionError: division by zero")


def test_check_loads_the_application(begin):
    master = begin(broken__py="1 / 0\n")
    master.configured()
    master.go(purpose=CHECK, errorlog="/does/not/exist.log")
    master.link.expect("loaded")
    second = begin()
    second.configured()
    second.go("broken:app", purpose=CHECK)
    code, text = failure(second)
    assert code == 1
    assert text.startswith("\nError while loading the application:\n\nTraceback (most recent call last):\n")


# Hooks

HOOKS = """
    import os
    lines = open("hooks.txt", "a", buffering=1)

    def note(name, *args):
        print(name, os.getpid(), *args, file=lines)

    def pre_fork(server, worker):
        worker.note = "kept"
        note("pre_fork", worker.pid, worker.age, server.cfg.workers, server.log is worker.log)

    def post_fork(server, worker):
        note("post_fork", worker.pid, worker.ppid == server.pid, worker.note, worker.app.callable, worker.booted)

    def post_worker_init(worker):
        note("post_worker_init", callable(worker.wsgi), worker.wsgi is worker.app.callable, worker.alive,
             worker.sockets[0].getsockname()[0], worker.tmp.last_update() > 0, worker.nr)

    def worker_int(worker):
        note("worker_int")

    def worker_abort(worker):
        note("worker_abort", worker.aborted)

    def worker_exit(server, worker):
        note("worker_exit", worker.alive, worker.nr)

    def on_starting(server):
        note("on_starting", server.address[0][0], server.num_workers, server.proc_name)

    def nworkers_changed(server, new_value, old_value):
        note("nworkers_changed", new_value, old_value)

    def child_exit(server, worker):
        note("child_exit", worker.pid, worker.note, worker.pid in server.WORKERS)

    def on_exit(server):
        note("on_exit")
"""


def hook_lines(master):
    with open(os.path.join(master.directory, "hooks.txt"), encoding="utf-8") as file:
        return [line.split() for line in file]


def test_each_hook_runs_in_its_process_in_gunicorns_order(begin):
    master = begin(gunicorn__conf__py=HOOKS)
    master.start(workers=3)
    master.run_hook("nworkers_changed", new=3, old=None)
    master.run_hook("on_starting")
    worker = serve(master)
    master.ask()
    worker.kill(signal.SIGTERM)
    worker.link.expect("leaving")
    assert worker.exit_code() == 0
    master.run_hook("child_exit", serial=worker.serial, pid=worker.pid)
    master.run_hook("on_exit")
    master.link.send("dismiss")
    assert master.process.wait(10) == 0
    template, pid = str(master.process.pid), str(worker.pid)
    assert hook_lines(master) == [
        ["nworkers_changed", template, "3", "None"],
        ["on_starting", template, "127.0.0.1", "3", "app:app"],
        ["pre_fork", template, "[booting]", "1", "3", "True"],
        ["post_fork", pid, pid, "True", "kept", "None", "False"],
        ["post_worker_init", pid, "True", "True", "True", "127.0.0.1", "True", "0"],
        ["worker_exit", pid, "False", "1"],
        ["child_exit", template, pid, "kept", "False"],
        ["on_exit", template],
    ]


def test_a_failed_server_hook_is_reported_and_the_fork_happens(begin):
    master = begin(gunicorn__conf__py="def pre_fork(server, worker):\n    1 / 0\n")
    master.start()
    link = Link()
    master.link.send("fork_worker", [link.theirs.fileno()], slot=0, serial=1, request_limit=0)
    report = master.link.expect("hook_failed")
    assert HOOK_NAMES[report["hook"]] == "pre_fork" and "ZeroDivisionError" in report["text"]
    pid = master.link.expect("forked")["pid"]
    link.expect("ready")
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)


@pytest.mark.parametrize("hook", ["post_fork(server, worker)", "post_worker_init(worker)"])
def test_a_failed_worker_hook_is_a_boot_error(begin, hook):
    master = begin(gunicorn__conf__py=f"def {hook}:\n    1 / 0\n")
    master.start()
    worker = master.fork()
    assert worker.exit_code() == 3
    assert "Exception in worker process" in master.output()


def test_a_failed_worker_exit_hook_changes_nothing(begin):
    master = begin(gunicorn__conf__py="def worker_exit(server, worker):\n    1 / 0\n")
    master.start()
    worker = serve(master)
    worker.kill(signal.SIGTERM)
    assert worker.exit_code() == 0
    assert "[WARNING] Exception during worker exit:\nTraceback" in master.output()


def test_alive_set_to_false_drains(begin):
    master = begin(gunicorn__conf__py="""
        import threading
        def post_worker_init(worker):
            threading.Timer(0.05, setattr, (worker, "alive", False)).start()
    """)
    master.start()
    worker = serve(master)
    worker.link.expect("leaving")
    assert worker.exit_code() == 0


def test_the_application_can_be_replaced_in_post_fork(begin):
    master = begin(gunicorn__conf__py="""
        def post_fork(server, worker):
            def other(environ, start_response):
                start_response("200 OK", [("Content-Length", "5")])
                return [b"other"]
            worker.app.callable = other
    """)
    master.start()
    serve(master)
    assert master.ask().endswith("\r\n\r\nother")


# Signals


def test_quit_runs_its_hook_and_leaves_at_once(begin):
    for number in (signal.SIGINT, signal.SIGQUIT):
        master = begin(gunicorn__conf__py=HOOKS)
        master.start()
        worker = serve(master)
        worker.kill(number)
        assert worker.exit_code() == 0
        names = [line[0] for line in hook_lines(master) if line[1] == str(worker.pid)]
        assert names[-2:] == ["worker_int", "worker_exit"]


def test_abort_leaves_a_stack_and_last_words(begin):
    master = begin(gunicorn__conf__py=HOOKS, slow__py="""
        import time
        def app(environ, start_response):
            stuck_here()
        def stuck_here():
            open("inside", "w").close()
            time.sleep(60)
    """)
    master.start("slow:app")
    worker = serve(master)
    with socket.create_connection(master.address) as client:
        client.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        wait_until(lambda: os.path.exists(os.path.join(master.directory, "inside")))
        begun = time.monotonic()
        worker.kill(signal.SIGABRT)
        assert worker.exit_code() == 1
        assert time.monotonic() - begun < 10
    assert "in stuck_here" in master.output()
    assert ["worker_abort", str(worker.pid), "True"] in hook_lines(master)
    assert b"aborted by the master (SIGABRT)" in master.board[:]


def test_term_while_loading_leaves_without_finishing_the_import(begin):
    master = begin(slow__py="import time\nopen('inside', 'w').close()\ntime.sleep(60)\n")
    master.start("slow:app")
    worker = master.fork()
    wait_until(lambda: os.path.exists(os.path.join(master.directory, "inside")))
    assert worker.phase() == "load"
    worker.kill(signal.SIGTERM)
    assert worker.exit_code() == 0


def test_term_at_any_moment_of_the_boot_ends_well(begin):
    master = begin()
    master.start()
    for delay_ms in range(30):
        worker = master.fork()
        time.sleep(delay_ms / 5000)  # a signal has no event to wait for: all moments of the boot are meant
        worker.kill(signal.SIGTERM)
        assert worker.exit_code() == 0
    assert "[ERROR]" not in master.output()


def test_a_second_term_does_not_cut_the_end_short(begin):
    master = begin(gunicorn__conf__py="""
        import atexit, os, signal
        def worker_exit(server, worker):
            os.kill(os.getpid(), signal.SIGTERM)
            print("hook done")
        def post_fork(server, worker):
            atexit.register(print, "handler done")
    """)
    master.start()
    worker = serve(master)
    worker.kill(signal.SIGTERM)
    assert worker.exit_code() == 0
    assert "hook done\nhandler done\n" in master.output()


def test_signals_of_the_master_do_not_kill_a_worker_or_the_template(begin):
    master = begin()
    master.start()
    worker = serve(master)
    for number in (signal.SIGHUP, signal.SIGUSR2, signal.SIGWINCH):
        worker.kill(number)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2):
        os.kill(master.process.pid, number)
    assert facts(master)["pid"] == worker.pid
    serve(master)


@pytest.mark.parametrize("preload", [True, False])
def test_programs_started_by_the_application_have_default_signals(begin, preload):
    master = begin(sub__py="""
        import subprocess
        out = subprocess.run(["grep", "-E", "Sig(Ign|Blk)", "/proc/self/status"], capture_output=True, restore_signals=False)
        def app(environ, start_response):
            start_response("200 OK", [("Content-Length", str(len(out.stdout)))])
            return [out.stdout]
    """)
    master.start("sub:app", preload_app=preload)
    serve(master)
    lines = dict(line.split(":\t") for line in master.ask().partition("\r\n\r\n")[2].splitlines())
    of_python = 1 << (signal.SIGPIPE - 1) | 1 << (signal.SIGXFSZ - 1)
    assert int(lines["SigBlk"], 16) == 0
    assert int(lines["SigIgn"], 16) & ~of_python & ~inherited_ignores() == 0


def inherited_ignores():
    with open("/proc/self/status", encoding="ascii") as file:
        return next(int(line.split()[1], 16) for line in file if line.startswith("SigIgn"))


def test_an_application_may_take_over_sigterm(begin):
    master = begin(own__py="""
        import signal
        def handler(number, frame):
            open("handled", "w").close()
        signal.signal(signal.SIGTERM, handler)
        def app(environ, start_response):
            start_response("200 OK", [("Content-Length", "2")])
            return [b"ok"]
    """)
    master.start("own:app")
    worker = serve(master)
    worker.kill(signal.SIGTERM)
    wait_until(lambda: os.path.exists(os.path.join(master.directory, "handled")))
    assert master.ask().endswith("ok")


# Life and end


def test_the_request_limit_asks_for_a_successor_once_and_goes_on(begin):
    master = begin()
    master.start()
    worker = serve(master, request_limit=2)
    for _ in range(4):
        assert facts(master)["pid"] == worker.pid
    worker.link.expect("recycle")
    worker.kill(signal.SIGTERM)
    worker.link.expect("leaving")
    assert worker.exit_code() == 0
    assert master.output().count("Autorestarting worker after current request.") == 1


def test_the_death_of_the_master_ends_a_worker_stuck_in_a_c_call(begin):
    master = begin(stuck__py="""
        import ctypes
        def app(environ, start_response):
            open("inside", "w").close()
            ctypes.PyDLL(None).sleep(60)  # holds the GIL
    """)
    master.start("stuck:app")
    worker = serve(master)
    with socket.create_connection(master.address) as client:
        client.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        wait_until(lambda: os.path.exists(os.path.join(master.directory, "inside")))
        begun = time.monotonic()
        worker.link.ours.close()
        assert worker.exit_code() == 0
        assert time.monotonic() - begun < 5
    assert f"Parent changed, shutting down: <Worker {worker.pid}>" in master.output()


def test_the_template_leaves_with_the_master_and_its_workers_stay(begin):
    master = begin()
    master.start()
    worker = serve(master)
    master.link.ours.close()
    assert master.process.wait(10) == 0
    assert facts(master)["pid"] == worker.pid


def test_exit_handlers_and_threads_end_as_in_python(begin):
    master = begin(ends__py=APP + """
    import atexit, threading, time
    atexit.register(lambda: print("exit handler", os.getpid(), flush=True))
    def work():
        time.sleep(0.2)
        print("thread done", os.getpid())
    threading.Thread(target=work).start()
    """)
    master.start("ends:app")
    worker = serve(master)
    worker.kill(signal.SIGTERM)
    assert worker.exit_code() == 0
    assert f"thread done {worker.pid}\nexit handler {worker.pid}\n" in master.output()


def test_a_message_that_asks_for_the_impossible_is_answered(begin):
    master = begin()
    master.start()
    link = Link()
    master.link.send("fork_worker", [link.theirs.fileno()], slot=99999, serial=1, request_limit=0)
    assert master.link.expect("fork_failed")["slot"] == 99999
    master.link.send("fork_worker", slot=1, serial=2, request_limit=0)
    assert master.link.expect("fork_failed")["serial"] == 2
    serve(master)


def test_odd_bytes_in_an_error_arrive(begin):
    master = begin(gunicorn__conf__py="raise ValueError('a\\0b \\udc80 c')\n")
    master.configure()
    code, text = failure(master)
    assert code == 1 and text.endswith("ValueError: a\\x00b \\udc80 c")


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to start as somebody whom limits bind")
def test_a_kernel_without_processes_fails_the_fork_and_nothing_else(begin, tmp_path):
    open_folders(tmp_path)
    try:
        subprocess.run([python_of(begin()), "-c", ""], user=65533, check=True)
        subprocess.run([WORKER_PROGRAM], user=65533, check=False, capture_output=True)
    except OSError:
        pytest.skip("this Python or the build lies where other users cannot go")
    master = begin(user=65533, gunicorn__conf__py="""
        import resource
        def pre_fork(server, worker):
            hard = resource.getrlimit(resource.RLIMIT_NPROC)[1]
            resource.setrlimit(resource.RLIMIT_NPROC, (1 if worker.age == 1 else hard, hard))
    """)
    master.start()
    link = Link()
    master.link.send("fork_worker", [link.theirs.fileno()], slot=0, serial=1, request_limit=0)
    failed = master.link.expect("fork_failed")
    assert (failed["error"], failed["text"]) == (-errno.EAGAIN, "fork: Resource temporarily unavailable")
    link.theirs.close()
    assert link.receive() is None
    master.serial += 1
    serve(master)
    assert facts(master)["uid"] == 65533


def test_titles(begin):
    master = begin()
    master.start(proc_name="shop")
    worker = serve(master)

    def title(pid):
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            return file.read().rstrip(b"\0 ").decode()

    assert title(master.process.pid) == "gunwale: template [shop]"
    assert title(worker.pid) == "gunwale: worker [shop]"


def open_folders(path):
    """pytest's folders are closed to other users."""
    for folder in [path, *list(path.parents)[:-2]]:
        os.chmod(folder, 0o755)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to become somebody else")
def test_user_and_group_are_given_away_for_good(begin, tmp_path):
    open_folders(tmp_path)
    master = begin(app2__py=APP + """
    try:
        os.setuid(0)
        facts["back"] = True
    except PermissionError:
        facts["back"] = False
    """)
    master.start("app2:app", user=65534, group=65534, errorlog="error.log")
    worker = serve(master)
    got = facts(master)
    assert got["uid"] == 65534 and got["groups"][0] == 65534 and got["back"] is False
    assert os.stat(tmp_path / "error.log").st_uid == 65534
    os.rename(tmp_path / "error.log", tmp_path / "old.log")
    os.chown(tmp_path, 65534, 65534)
    worker.kill(signal.SIGUSR1)
    wait_until(lambda: os.path.exists(tmp_path / "error.log"))


# Logs


def test_python_loggers_are_there_with_gunicorns_handlers(begin):
    master = begin(logs__py=APP + """
    import logging
    error, access = logging.getLogger("gunicorn.error"), logging.getLogger("gunicorn.access")
    facts["logs"] = [error.propagate, access.propagate, error.level, [h._gunicorn for h in error.handlers],
                     len(access.handlers)]
    error.warning("from the application")
    """)
    master.start("logs:app", errorlog="e.log", accesslog="a.log", loglevel="debug")
    worker = serve(master)
    assert facts(master)["logs"] == [False, False, 10, [True], 1]
    with open(os.path.join(master.directory, "e.log"), encoding="utf-8") as file:
        text = file.read()
    assert f" [{worker.pid}] [WARNING] from the application\n" in text
    assert f" [{worker.pid}] [INFO] Booting worker with pid: {worker.pid}\n" in text


def test_usr1_reopens_both_worlds_logs_and_captured_output(begin, tmp_path):
    master = begin(prints__py=APP + """
    import logging
    def loud(environ, start_response):
        print("printed", flush=True)
        logging.getLogger("gunicorn.error").info("logged")
        return app(environ, start_response)
    """)
    master.start("prints:loud", errorlog="e.log", accesslog="a.log", capture_output=True)
    worker = serve(master)
    facts(master)
    for name in ("e.log", "a.log"):
        os.rename(tmp_path / name, tmp_path / f"{name}.1")
    worker.kill(signal.SIGUSR1)
    wait_until(lambda: (tmp_path / "a.log").exists() and (tmp_path / "e.log").exists())
    facts(master)
    for name in ("e.log.1", "e.log"):
        text = (tmp_path / name).read_text()
        assert text.count("printed\n") == 1 and text.count("[INFO] logged\n") == 1, name


def test_the_template_reopens_its_logs(begin, tmp_path):
    master = begin()
    master.start(errorlog="e.log")
    os.rename(tmp_path / "e.log", tmp_path / "old.log")
    master.link.send("reopen_logs")
    wait_until(lambda: (tmp_path / "e.log").exists())
    serve(master)
    assert "Booting worker" in (tmp_path / "e.log").read_text()


def test_stop_listening_frees_the_port_once_the_workers_are_gone(begin):
    master = begin()
    master.start()
    listener = f"socket:[{os.fstat(master.listener.fileno()).st_ino}]"

    def holds_listener():
        folder = f"/proc/{master.process.pid}/fd"
        for name in os.listdir(folder):
            with contextlib.suppress(FileNotFoundError):  # closed while we look
                if os.readlink(f"{folder}/{name}") == listener:
                    return True
        return False

    assert holds_listener()
    master.link.send("stop_listening")
    wait_until(lambda: not holds_listener())
