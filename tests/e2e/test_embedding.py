# SPDX-License-Identifier: MIT
"""Servers that Python code starts: gunicorn's recipe of a custom application, gunicorn.app.wsgiapp.run(), and scripts."""

import re
import subprocess

import pytest
from server import BUILD, title

pytestmark = pytest.mark.quick

# gunicorn's documentation, "custom application": a derived class with options, hooks among them.
RECIPE = """
import os, sys
PACKAGE.app.base

created_in = os.getpid()

def hello(environ, start_response):
    body = f"{os.environ.get('STAGE')} {sys.argv[1:]} {__name__} {created_in != os.getpid()}".encode()
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body]

def post_fork(server, worker):
    worker.log.info("post_fork of %s", worker.age)

class Standalone(PACKAGE_.app.base.BaseApplication):
    def __init__(self, app, options=None):
        self.options = options or {}
        self.application = app
        super().__init__()

    def load_config(self):
        config = {key: value for key, value in self.options.items() if key in self.cfg.settings and value is not None}
        for key, value in config.items():
            self.cfg.set(key.lower(), value)

    def load(self):
        return self.application

if __name__ == "__main__":
    options = {
        "bind": "127.0.0.1:0",
        "workers": int(open("workers").read()),
        "post_fork": post_fork,
        "when_ready": lambda server: server.log.info("ready with %s", server.cfg.workers),
        "raw_env": ["STAGE=test"],
        "loglevel": None,
        "not_a_setting": 5,
    }
    Standalone(hello, options).run()
    print("never reached", file=sys.stderr)
"""


def recipe(package):
    return RECIPE.replace("PACKAGE.", f"import {package}.").replace("PACKAGE_.", f"{package}.")


def start(server, arguments, program, env=None):
    env = {"GUNWALE_CMD_ARGS": f"--status-file {server.status_path} --status-interval 1", **(env or {})}
    server.spawn(arguments, program=program, env=env)
    server.wait_listening()
    server.wait_ready()


@pytest.fixture
def python(embedded_python):
    """A plain Python of the embedded version, and the variables by which it finds our package."""
    return embedded_python, {"PYTHONPATH": str(BUILD / "python"), "GUNICORN_CMD_ARGS": "--workers 7"}


def test_the_recipe_runs_under_plain_python(server, python):
    server.write("workers", "2")
    server.write("web.py", recipe("gunwale"))
    start(server, ["web.py", "--flag", "x"], *python)
    assert len(server.workers()) == 2
    assert server.get("/").text == "test ['--flag', 'x'] __main__ True"
    server.wait_log("post_fork of 2")
    server.wait_log("ready with 2")
    assert "gunwale: master [script:" in title(server.pid)
    assert not server.log_contains("never reached|WARNING|Traceback"), server.log_tail()


def test_a_reload_runs_the_script_again(server, python):
    server.write("workers", "1")
    server.write("web.py", recipe("gunwale"))
    start(server, ["web.py"], *python)
    server.write("workers", "2")
    server.signal("HUP")
    server.wait_workers(2)
    assert server.get("/").code == 200


def test_the_recipe_runs_as_a_module(server, python):
    server.write("workers", "1")
    server.write("pack/__init__.py", "")
    server.write("pack/web.py", recipe("gunwale"))
    start(server, ["-m", "pack.web", "arg"], *python)
    assert server.get("/").text == "test ['arg'] __main__ True"


def test_a_script_that_imports_gunicorn_runs_unchanged(server):
    server.write("workers", "1")
    server.write("web.py", recipe("gunicorn"))
    server.write("gunicorn.conf.py", "raise RuntimeError('not read')\n")
    start(server, ["-c", "script:web.py"], None)
    assert server.get("/").text == "test [] __main__ True"


def test_a_script_starts_this_server_although_gunicorn_is_installed(server, packages):
    server.write("workers", "1")
    server.write("web.py", recipe("gunicorn").replace("created_in =", "assert gunicorn.__file__.startswith(sys.prefix)\ncreated_in ="))
    start(server, ["-c", "script:web.py"], None, {"VIRTUAL_ENV": packages})
    assert server.get("/").text == "test [] __main__ True"
    assert not server.log_contains("Starting gunicorn")


@pytest.mark.parametrize("module", ["gunwale.app.wsgiapp", "gunicorn.app.wsgiapp"])
def test_run_is_the_command_itself(server, python, module):
    program, env = python
    server.write("start.py", f"import sys\nfrom {module} import run\nsys.exit(run())\n")
    env = {"PYTHONPATH": f"{BUILD / 'python'}:{server.apps}"}
    if module.startswith("gunicorn"):  # as a shim would provide it where gunicorn is not installed
        server.write("gunicorn/app/wsgiapp.py", "from gunwale.app.wsgiapp import run\n")
    start(server, ["start.py", "-b", "127.0.0.1:0", "basic:app"], program, env)
    assert server.get("/").body == b"hello"


DERIVED = """
from gunwale.app.wsgiapp import WSGIApplication

class Mine(WSGIApplication):
    def __init__(self, uri, options):
        self.app_uri, self.options = uri, options
        super().__init__()

    def load_config(self):
        for name, value in self.options.items():
            self.cfg.set(name, value)

Mine("basic:app", {"bind": "127.0.0.1:0", "preload_app": True}).run()
"""


def test_a_derived_wsgi_application_names_its_application(server, python):
    program, env = python
    server.write("web.py", DERIVED)
    start(server, ["web.py"], program, {"PYTHONPATH": f"{BUILD / 'python'}:{server.apps}"})
    assert server.get("/").body == b"hello"


@pytest.mark.parametrize(
    "text, code, sentence",
    [
        ("pass", 1, r"Error: web\.py ended without calling run\(\) of an application"),
        ("raise ValueError('broken')", 1, r"Failed to run script: web\.py\nTraceback(.|\n)*ValueError: broken"),
        ("import sys; sys.exit(5)", 5, ""),
        ("from gunwale.app.base import Application; Application().run()", 1, r"run the command gunwale instead"),
        ("import gunwale.app.base as b\nclass A(b.BaseApplication):\n  def load_config(self): self.cfg.set('workers', -1)\nA().run()",
         1, r"Invalid value for workers: -1"),
        ("import gunwale.app.base as b\nclass A(b.BaseApplication):\n  def load_config(self): self.cfg.set('nonsense', 1)\nA().run()",
         1, r"Error: No configuration setting for: nonsense"),
    ],
    ids=["no_run", "exception", "exit", "command_line", "value", "name"],
)
def test_what_goes_wrong_is_said(server, text, code, sentence):
    server.write("web.py", text + "\n")
    done = server.run(["-c", "script:web.py"])
    assert done.returncode == code, done.stderr
    assert re.search(sentence, done.stderr), done.stderr


def test_without_a_script_there_is_nothing_to_run_again(server, python):
    program, env = python
    code = "import gunwale.app.base as b\nclass A(b.BaseApplication):\n  def load_config(self): pass\nA().run()"
    done = subprocess.run(
        [program, "-c", code], capture_output=True, text=True, env=server.environment(env), cwd=server.folder, check=False
    )
    assert done.returncode == 1 and "not an interactive Python" in done.stderr, done.stderr


def test_a_missing_script_is_named(server):
    done = server.run(["-c", "script:no.py"])
    assert done.returncode == 1 and "no.py" in done.stderr

