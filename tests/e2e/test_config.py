# SPDX-License-Identifier: MIT
"""Where settings come from and which source wins."""

import re

import pytest
from rawclient import free_port
from test_cli import printed

pytestmark = pytest.mark.quick


def test_defaults(server):
    values = printed(server, [])
    expected = {
        "workers": "1",
        "bind": "['127.0.0.1:8000']",
        "timeout": "30",
        "graceful_timeout": "30",
        "keepalive": "2",
        "backlog": "2048",
        "max_requests": "0",
        "preload_app": "False",
        "loglevel": "info",
        "errorlog": "-",
        "accesslog": "None",
        "limit_request_line": "4094",
        "limit_request_fields": "100",
        "limit_request_field_size": "8190",
    }
    assert {name: values.get(name) for name in expected} == expected


def test_file_in_the_current_folder_is_read_by_itself(server):
    server.write("gunicorn.conf.py", "workers = 3\nbind = '127.0.0.1:0'\nunknown = 5\nWorkers = 9\n")
    values = printed(server, [])
    assert values["workers"] == "3" and values["bind"] in ("['127.0.0.1:0']", "127.0.0.1:0")


def test_every_source_beats_the_one_before(server):
    env = {"WEB_CONCURRENCY": "2"}
    assert printed(server, [], env)["workers"] == "2"
    server.write("gunicorn.conf.py", "workers = 3\n")
    assert printed(server, [], env)["workers"] == "3"
    env["GUNICORN_CMD_ARGS"] = "--workers 4"
    assert printed(server, [], env)["workers"] == "4"
    assert printed(server, ["-w", "5"], env)["workers"] == "5"


def test_port_sets_the_bind_address(server):
    port = free_port()
    server.start(bind=None, env={"PORT": port})
    assert server.address == ("0.0.0.0", port)
    server.address = ("127.0.0.1", port)
    assert server.get("/").body == b"hello"


def test_lists_are_replaced_not_merged(server):
    server.write("gunicorn.conf.py", "bind = ['127.0.0.1:1', '127.0.0.1:2']\n")
    assert printed(server, ["-b", "127.0.0.1:3"])["bind"] == "['127.0.0.1:3']"


def test_cmd_args_are_split_like_a_shell_does(server):
    values = printed(server, [], {"GUNICORN_CMD_ARGS": "--name 'two words' --access-logformat '%(h)s \"%(r)s\"' ignored:app"})
    assert values["proc_name"] == "two words"
    assert values["access_log_format"] == '%(h)s "%(r)s"'


@pytest.mark.parametrize("form", ["{path}", "file:{path}", "other.py", "./other.py", "python:other"])
def test_forms_of_the_config_option(server, form):
    path = server.write("other.py", "workers = 7\n")
    server.write("gunicorn.conf.py", "workers = 8\ntimeout = 77\n")
    values = printed(server, ["-c", form.format(path=path)])
    assert values["workers"] == "7"
    assert values["timeout"] == "30", "only one file is read"


def test_config_from_cmd_args(server):
    server.write("other.py", "workers = 7\n")
    assert printed(server, [], {"GUNICORN_CMD_ARGS": "-c other.py"})["workers"] == "7"


def test_the_file_runs_as_python(server):
    server.write("helper.py", "count = 4\n")
    server.write(
        "gunicorn.conf.py",
        """
        import multiprocessing
        import os
        from helper import count
        workers = count + 1
        proc_name = os.path.basename(__file__)
        def post_fork(server, worker):
            pass
        """,
    )
    values = printed(server, [])
    assert values["workers"] == "5" and values["proc_name"] == "gunicorn.conf.py"


def test_an_exception_in_the_file_exits_1(server):
    server.write("gunicorn.conf.py", "raise ValueError('in the file')\n")
    result = server.run(["basic:app"])
    assert result.returncode == 1
    assert "Failed to read config file: " in result.stderr and "ValueError: in the file" in result.stderr


@pytest.mark.parametrize(
    "line, message",
    [
        ("workers = -1", "Invalid value for workers: -1"),
        ("workers = 'many'", "Invalid value for workers: many"),
        ("timeout = 0.5", "Invalid value for timeout: 0.5"),
        ("preload_app = 1", "Invalid value for preload_app: 1"),
        ("keepalive = None", "Invalid value for keepalive: None"),
        ("bind = 5", "Invalid value for bind: 5"),
        ("def post_fork(server): pass", "Invalid value for post_fork:"),
    ],
)
def test_invalid_values_in_the_file_exit_1(server, line, message):
    server.write("gunicorn.conf.py", line + "\n")
    result = server.run(["basic:app"])
    assert result.returncode == 1, result
    assert message in result.stderr and "Error: " in result.stderr, result.stderr


def test_wsgi_app_from_the_file(server):
    server.start(app=None, conf="wsgi_app = 'factory:create_app(\"from the file\")'\n")
    assert server.get("/").json()["name"] == "from the file"


def test_settings_of_the_file_are_used(server):
    server.start(
        conf="""
        workers = 2
        raw_env = ["FROM_CONF=yes", "EQUALS=a=b"]
        """
    )
    facts = server.get("/facts").json()
    assert facts["env"]["FROM_CONF"] == "yes" and facts["env"]["EQUALS"] == "a=b"
    assert len(server.workers()) == 2


def test_chdir_and_pythonpath(server):
    server.write("inner/inner_app.py", "from basic import app\n")
    server.write("libs/only_here.py", "")
    server.start("inner_app:app", args=["--chdir", "inner", "--pythonpath", "../libs"])
    facts = server.get("/facts").json()
    assert facts["cwd"] == str(server.folder / "inner")
    assert facts["path"][0] == str(server.folder / "libs") and str(server.folder / "inner") in facts["path"]


def test_env_option_repeats(server):
    server.start(args=["-e", "ONE=1", "--env", "TWO=2"])
    environ = server.get("/facts").json()["env"]
    assert environ["ONE"] == "1" and environ["TWO"] == "2"


def test_hooks_run_in_gunicorns_order(server):
    hooks = {
        "on_starting": "server",
        "on_reload": "server",
        "when_ready": "server",
        "pre_fork": "server, worker",
        "post_fork": "server, worker",
        "post_worker_init": "worker",
        "worker_int": "worker",
        "worker_abort": "worker",
        "pre_request": "worker, req",
        "post_request": "worker, req, environ, resp",
        "child_exit": "server, worker",
        "worker_exit": "server, worker",
        "nworkers_changed": "server, new, old",
        "on_exit": "server",
    }
    conf = "def note(name):\n    with open('hooks', 'a') as file:\n        file.write(name + '\\n')\n"
    for name, parameters in hooks.items():
        conf += f"def {name}({parameters}):\n    note('{name}')\n"
    server.start(conf=conf)
    assert server.get("/").code == 200
    server.stop()
    assert server.read("hooks").split() == [
        "nworkers_changed",
        "on_starting",
        "when_ready",
        "pre_fork",
        "post_fork",
        "post_worker_init",
        "pre_request",
        "post_request",
        "worker_exit",
        "child_exit",
        "on_exit",
    ]


def test_what_hooks_see(server):
    server.start(
        conf="""
        import os

        def post_fork(server, worker):
            server.log.info("forked %s age %s", worker.pid, worker.age)
            assert worker.pid == os.getpid()

        def post_worker_init(worker):
            worker.log.warning("loaded %s", callable(worker.wsgi))

        def when_ready(server):
            server.log.info("ready with %s", server.cfg.workers)

        def pre_request(worker, req):
            worker.log.info("%s %s", req.method, req.path)

        def post_request(worker, req, environ, resp):
            worker.log.info("answered %s", resp.status_code)
        """
    )
    (worker,) = server.workers()
    assert server.get("/pid").text == str(worker)
    server.wait_log(rf"\[{worker}\] \[INFO\] forked {worker} age 1$")
    server.wait_log(rf"\[{worker}\] \[WARNING\] loaded True$")
    server.wait_log(r"\[INFO\] ready with 1$")
    server.wait_log(rf"\[{worker}\] \[INFO\] GET /pid$")
    server.wait_log(rf"\[{worker}\] \[INFO\] answered 200$")


def test_worker_alive_false_recycles(server):
    """Applications recycle their own worker through the object that a hook got."""
    server.write(
        "leaving.py",
        """
        import basic
        WORKER = []

        def app(environ, start_response):
            if environ["PATH_INFO"] == "/environ":
                WORKER[0].alive = False
            return basic.app(environ, start_response)
        """,
    )
    server.start(
        "leaving:app",
        conf="""
        def post_worker_init(worker):
            import leaving
            leaving.WORKER.append(worker)
        """,
    )
    (old,) = server.workers()
    assert server.get("/environ").code == 200
    server.wait_status(lambda status: [row["pid"] for row in status["workers"] if row["state"] == "serving"] not in ([], [old]))
    assert server.get("/").code == 200


NO_SETTING = r"^\[.*\] \[\d+\] \[WARNING\] '(\w+)' in the configuration file is no setting; did you mean '(\w+)'\?$"


def slips(server, since=0):
    return dict(re.findall(NO_SETTING, server.log()[since:], re.MULTILINE))


def test_names_that_look_like_a_setting_are_named_once_and_again_after_a_reload(server):
    meant = {
        "access_logfile": ("'-'", "accesslog"),
        "error_logfile": ("'-'", "errorlog"),
        "log_level": ("'debug'", "loglevel"),
        "preload": ("True", "preload_app"),
        "keepallive": ("5", "keepalive"),
        "name": ("'mine'", "proc_name"),
        "worker": ("2", "workers"),
        "thread": ("2", "threads"),
        "graceful_timeuot": ("2", "graceful_timeout"),
        "max_request": ("None", "max_requests"),
        "max_worker_connections": ("100", "worker_connections"),
        "pid": ("'pid'", "pidfile"),
    }
    expected = {name: setting for name, (_, setting) in meant.items()}
    server.start(conf="".join(f"{name} = {value}\n" for name, (value, _) in meant.items()))
    assert slips(server) == expected
    assert server.log_contains(NO_SETTING, times=len(expected))
    mark = server.mark()
    server.write("gunicorn.conf.py", "keep_alive = 5\n")
    server.signal("HUP")
    server.wait_log(NO_SETTING, since=mark)
    assert slips(server, mark) == {"keep_alive": "keepalive"}


def test_other_names_of_the_file_are_nobodys_business(server):
    server.write("elsewhere.py", "log_level = 'debug'\nthread = 3\n")
    server.start(
        conf="""
        import multiprocessing as proc
        from elsewhere import log_level

        worker = 2
        workers = worker
        keep_alive = 3  # what was meant is set below
        keepalive = keep_alive = 2
        log_file = 'x'
        name = 'a helper'
        preload = False
        max_worker_memory = 400
        users = 'usr'
        hostname = port = cores = 'ordinary'
        _timeouts = TIMEOUTS = Timeouts = 4
        error_logfile = ['not a plain value']

        def post_worker_init(worker):
            worker.log.info("%s %s %s", log_file, name, max_worker_memory)
            backlogs = 3

        def accesslogs():
            pass

        class threadss:
            time_out = 4

        for thread in "ab":
            pass

        raw_env = [f"PRE={preload}"]
        """
    )
    server.wait_log("x a helper 400")
    assert not server.log_contains("configuration file"), server.log_tail()


def test_budgets_of_memory_are_settings_and_no_slips(server):
    server.start(conf="max_worker_memory = 400\nmemory_limit = '2G'\n")
    assert not server.log_contains(r"\[WARNING\]")
    assert server.status()["limits"]["worker_memory"]["soft_bytes"] == 400 << 20


def test_check_config_names_them_too(server):
    server.write("gunicorn.conf.py", "log_level = 'debug'\n")
    result = server.run(["--check-config", "basic:app"])
    assert result.returncode == 0
    assert result.stderr.count("Warning: 'log_level' in the configuration file is no setting; did you mean 'loglevel'?") == 1


def test_names_in_a_module_are_named(server):
    server.write("settings_here.py", "error_log = '-'\n")
    server.start(args=["-c", "python:settings_here"])
    assert slips(server) == {"error_log": "errorlog"}
