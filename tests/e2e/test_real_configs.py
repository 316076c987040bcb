# SPDX-License-Identifier: MIT
"""Configuration files and start commands in the shapes that people write them: what they set, print, import and hook."""

import re
import shlex
import subprocess

import pytest
from server import PROGRAM
from test_cli import printed

pytestmark = pytest.mark.quick

# Text of the file, environment, what --print-config must show.
FILES = {
    "numbers from the environment": (
        """
        import multiprocessing, os
        workers = int(os.environ.get("WORKERS", multiprocessing.cpu_count() * 2 + 1))
        threads = int(os.getenv("THREADS", 1))
        bind = f"0.0.0.0:{os.getenv('PORT', '8000')}"
        """,
        {"WORKERS": "3", "PORT": "8181"},
        {"workers": "3", "threads": "1", "bind": "['0.0.0.0:8181']"},
    ),
    "numbers as text": (
        "import os\nworkers = os.environ['N']\ntimeout = ' 90 '\nmax_requests = '500'\npreload_app = 'true'\n",
        {"N": "2"},
        {"workers": "2", "timeout": "90", "max_requests": "500", "preload_app": "True"},
    ),
    "None where there is nothing to say": (
        "user = None\ngroup = None\nerrorlog = '-'\naccesslog = None\npidfile = None\nbind = ['127.0.0.1:1']\n",
        {},
        {"accesslog": "None", "pidfile": "None", "bind": "['127.0.0.1:1']"},
    ),
    "names that are made at run time": (
        """
        import os
        for key, value in list(os.environ.items()):
            if key.startswith("GW_SET_"):
                locals()[key[7:].lower()] = value
        globals().update(keepalive=7)
        """,
        {"GW_SET_TIMEOUT": "45", "GW_SET_LOGLEVEL": "WARNING"},
        {"timeout": "45", "loglevel": "WARNING", "keepalive": "7"},
    ),
    "a class, lambdas and a dictionary": (
        """
        from dataclasses import dataclass
        @dataclass
        class Sizes:
            workers: int = 4
        workers = Sizes().workers
        settings = dict(timeout=9)
        timeout = settings["timeout"]
        on_exit = lambda server: None
        post_request = lambda worker, req: None
        """,
        {},
        {"workers": "4", "timeout": "9", "on_exit": "<<lambda>()>"},
    ),
    "a module from the launch directory": ("from deployment import COUNT as workers\n", {}, {"workers": "6"}),
    "annotated names": ("bind: str = '127.0.0.1:4444'\nworkers: int = 2\nnothing: int\n", {}, {"workers": "2"}),
    "several addresses": (
        "bind = ['[::]:5006', 'unix:/tmp/x.sock', ':9000']\n",
        {},
        {"bind": "['[::]:5006', 'unix:/tmp/x.sock', ':9000']"},
    ),
    "an address without a port": ("bind = '0.0.0.0'\n", {}, {"bind": "['0.0.0.0']"}),
    "zero and False": (
        "timeout = 0\nkeepalive = 0\nreload = False\ndaemon = False\ncapture_output = False\n",
        {},
        {"timeout": "0", "keepalive": "0", "daemon": "False"},
    ),
    "a file that reads itself and its place": (
        "import pathlib\nhere = pathlib.Path(__file__).resolve().parent\nworkers = 2 if here.is_dir() else 1\n",
        {},
        {"workers": "2"},
    ),
    "logging prepared by hand": (
        """
        import logging, sys
        logging.basicConfig(stream=sys.stderr, level=logging.INFO)
        logging.getLogger("gunicorn.error").setLevel("DEBUG")
        logging.getLogger(__name__).info("reading the configuration")
        loglevel = "debug"
        """,
        {},
        {"loglevel": "debug"},
    ),
}


def test_the_default_file_knows_its_whole_path(server):
    server.write("gunicorn.conf.py", "raise ValueError(__file__)\n")
    path = server.folder / "gunicorn.conf.py"
    done = server.run(["--check-config", "basic:app"])
    assert done.returncode == 1
    assert f"Failed to read config file: {path}\n" in done.stderr and f"ValueError: {path}\n" in done.stderr


@pytest.mark.parametrize("name", FILES)
def test_files_mean_what_their_writers_meant(server, name):
    text, env, expected = FILES[name]
    server.write("deployment.py", "COUNT = 6\n")
    server.write("gunicorn.conf.py", text)
    values = printed(server, [], env)
    assert {key: values[key] for key in expected} == expected


def test_what_the_file_prints_comes_before_the_settings(server):
    server.write("gunicorn.conf.py", "import json\nprint(json.dumps({'workers': 1}), end='')\n")
    done = server.run(["--print-config", "basic:app"])
    assert done.returncode == 0
    assert done.stdout.startswith('{"workers": 1}access_log_format ')


# Text of the file, exit code, what is said.
REFUSED = {
    "sys.exit with a code": ("import sys\nsys.exit(3)\n", 3, ""),
    "sys.exit with a text": ("import sys\nsys.exit('DATABASE_URL is not set')\n", 1, "DATABASE_URL is not set"),
    "a missing variable": ("import os\nbind = os.environ['NO_SUCH_NAME']\n", 1, "KeyError: 'NO_SUCH_NAME'"),
    "a missing module": ("import no_such_module_here\n", 1, "No module named 'no_such_module_here'"),
    "a shell variable in quotes": ("bind = '0.0.0.0:$PORT'\n", 1, "'$PORT' is not a valid port number."),
    "a port that is not set": ("import os\nbind = f\"0.0.0.0:{os.getenv('NOWHERE')}\"\n", 1, "'None' is not a valid port"),
    "a function that is not called": (
        "import multiprocessing\nworkers = multiprocessing.cpu_count\n",
        1,
        "Invalid value for workers: <bound method BaseContext.cpu_count of ",
    ),
    "half a second": ("timeout = 0.5\n", 1, "Invalid value for timeout: 0.5"),
    "a hook with too few parameters": ("def post_fork(worker):\n    pass\n", 1, "Error: Value must have an arity of: 2"),
    "a hook that takes anything": ("def when_ready(*args):\n    pass\n", 1, "Error: Value must have an arity of: 1"),
    "a hook that is no function": ("on_exit = True\n", 1, "Error: Value is not callable: True"),
    "a hook in a module that is not there": ("on_exit = 'no_such_module.hook'\n", 1, "No module named 'no_such_module'"),
    "a mistake in the file": ("workers = = 2\n", 1, "SyntaxError: invalid syntax"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_files_that_end_the_start(server, name):
    text, code, said = REFUSED[name]
    server.write("gunicorn.conf.py", text)
    bind = [] if "bind" in text else ["-b", "127.0.0.1:0"]
    done = server.run([*bind, "basic:app"])
    assert done.returncode == code, done.stderr
    assert said in done.stderr
    assert "Listening" not in done.stderr


def test_a_configuration_file_named_as_the_package(server):
    text = """
    import gunicorn
    from gunicorn.glogging import Logger
    workers = 3 if gunicorn.__file__ != __file__ else 1
    """
    server.write("gunicorn.py", text)
    assert printed(server, ["-c", "gunicorn.py"])["workers"] == "3"


def test_hooks_see_server_and_worker_as_gunicorn_shows_them(server):
    server.start(
        conf="""
        import json, signal
        workers = 2
        pidfile = "pid"

        def when_ready(server):
            assert server.cfg.settings["workers"].value == server.cfg.settings["workers"].get() == server.cfg.workers == 2
            assert server.cfg.settings["on_exit"].get().__name__ == "on_exit"
            assert "workers                            = 2" in str(server.cfg).splitlines()
            assert server.num_workers == 2 and server.WORKERS == {} and server.pidfile.fname == "pid"
            (listener,) = server.LISTENERS
            assert listener.getsockname() == listener.sock.getsockname() == listener.cfg_addr
            assert str(listener) == "http://%s:%d" % listener.getsockname()
            server.cfg.set("proc_name", "renamed")

        def pre_fork(server, worker):
            server.count = worker.number = getattr(server, "count", 0) + 1

        def post_fork(server, worker):
            assert server.cfg.proc_name == "renamed" and worker.number == server.count
            before = worker.handle_exit
            def leave(number, frame):
                worker.log.info("leaving number %d", worker.number)
                before(number, frame)
            signal.signal(signal.SIGTERM, leave)

        def pre_request(worker, req):
            assert req.cfg is worker.cfg and req.trailers == []

        def child_exit(server, worker):
            server.log.info("left: %d, sockets: %s", worker.number, server.LISTENERS)

        def on_exit(server):
            pass
        """
    )
    assert server.get("/").body == b"hello"
    server.stop()
    for number in (1, 2):
        assert server.log_contains(f"leaving number {number}", times=1)
        assert server.log_contains(rf"left: {number}, sockets: \[\]", times=1)
    assert not server.log_contains("Traceback")


def test_debug_level_lists_the_settings(server):
    server.start(args=["--log-level", "debug", "--max-requests", "77"])
    assert server.log_contains(r"\[DEBUG\] Current configuration:\n  access_log_format: ")
    assert server.log_contains(r"^  max_requests: 77$")


# Start commands as shells, container files and process managers have them; `serve` stands for the program.
COMMANDS = [
    ("serve basic:app -b :$PORT --workers 2", {"PORT": "8182"}, {"bind": "[':8182']", "workers": "2"}),
    ("exec serve --bind 0.0.0.0:${PORT:-5000} basic:app", {}, {"bind": "['0.0.0.0:5000']"}),
    ("exec serve $ARGS basic:app", {"ARGS": "-w 3 --timeout 9"}, {"workers": "3", "timeout": "9"}),
    ('serve "shop:make_app(name=\'x\')" --bind=0.0.0.0:80 --bind [::]:80', {}, {"bind": "['0.0.0.0:80', '[::]:80']"}),
    ("serve -w 4 -b 127.0.0.1:81 basic:app --log-file=- --access-logfile=-", {}, {"errorlog": "-", "accesslog": "-"}),
    ("serve basic:app -c conf/gunicorn.conf.py --chdir=.", {}, {"timeout": "123"}),
    ("serve '-c conf/gunicorn.conf.py' basic:app", {}, {"timeout": "123"}),
    ("serve --conf conf/gunicorn.conf.py -w4 basic:app", {}, {"timeout": "123", "workers": "4"}),
    ("serve -c=python:conf.place basic:app", {}, {"timeout": "124"}),
    ("serve -c file:conf/gunicorn.conf.py basic:app", {}, {"timeout": "123"}),
    ("serve -c conf/settings.ini basic:app", {}, {"timeout": "125"}),
    ("GUNICORN_CMD_ARGS=\"-b 0.0.0.0 --access-logfile '-'\" serve basic:app", {}, {"bind": "['0.0.0.0']", "accesslog": "-"}),
    ("cd conf && serve --pythonpath .. only", {}, {"wsgi_app": "None"}),
    ("true && serve --worker-class=sync --limit-request-field_size 32768 shop", {}, {"limit_request_field_size": "32768"}),
    ("serve -k sync -w ${WEB_WORKERS:-1} -e A=b -e C=d basic:app", {}, {"raw_env": "['A=b', 'C=d']"}),
    ("serve --name $NAME --log-level INFO basic:app", {"NAME": "shop"}, {"proc_name": "shop", "loglevel": "INFO"}),
    ("cd bare && serve", {}, {"wsgi_app": "only:application"}),
]


@pytest.mark.parametrize(("command", "env", "expected"), COMMANDS, ids=[command for command, _env, _expected in COMMANDS])
def test_start_commands(server, command, env, expected):
    application = "def application(environ, start_response):\n    pass\n"
    for name, text in {
        "conf/gunicorn.conf.py": "timeout = 123\n" if "cd conf" not in command else "",
        "conf/place.py": "timeout = 124\n",
        "conf/settings.ini": "timeout = 125\n",
        "conf/only.py": application,
        "shop.py": application + "def make_app(name):\n    return application\n",
        "bare/gunicorn.conf.py": "wsgi_app = 'only:application'\n",
        "bare/only.py": application,
    }.items():
        server.write(name, text)
    line = command.replace("serve", f"{shlex.quote(str(PROGRAM))}", 1)
    done = subprocess.run(
        ["/bin/sh", "-c", f"{line} --print-config"],
        cwd=server.folder,
        env=server.environment(env),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    values = dict(re.findall(r"^(\w+) += (.*)$", done.stdout, re.MULTILINE))
    assert {key: values[key] for key in expected} == expected


def test_paste_says_what_to_do(server):
    done = server.run(["--paste", "site.ini"])
    assert done.returncode == 1
    assert "paste" in done.stderr and len(done.stderr.strip().splitlines()) == 1, done.stderr
