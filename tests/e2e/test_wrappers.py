# SPDX-License-Identifier: MIT
"""Commands that people put in front of gunicorn, with the real packages: they change the environment and become the program."""

import os
import shutil

import pytest
from server import PROGRAM, wait_until

# What a view sees. The agents patch Flask when it is imported, so a span in a view means that they were there in time.
APP = """
import json, multiprocessing, os, subprocess, sys
from flask import Flask

app = Flask(__name__)

def square(number):
    return number * number

@app.route("/python")
def python():
    code = "import sys; print(sys.prefix)"
    child = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    return dict(prefix=sys.prefix, executable=sys.executable, argv=sys.argv, child=child[-1:], pid=os.getpid())

@app.route("/spawn")
def spawn():
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return dict(answer=pool.apply(square, (7,)))
"""


@pytest.fixture
def wrapped(server, packages):
    """Starts `WRAPPER gunwale ... web:app` as a shell in an active environment would."""

    def start(wrapper, app, env=None, becomes=True):
        server.write("web.py", APP + app)
        arguments = [*wrapper[1:], "gunwale", "--status-file", server.status_path, "--status-interval", "1"]
        path = f"{packages}/bin:{PROGRAM.parent}:{os.environ['PATH']}"
        server.spawn(
            [*arguments, "-b", "127.0.0.1:0", "web:app"],
            env={"VIRTUAL_ENV": packages, "PATH": path, "PYTHONPATH": None, **(env or {})},
            program=wrapper[0],
        )
        server.wait_listening()
        if becomes:
            server.wait_ready(timeout=60)
        return server

    return start


def check_python(server, packages):
    seen = server.get("/python").json()
    assert seen["prefix"] == packages
    assert seen["executable"].startswith(f"{packages}/bin/python")
    assert seen["argv"][0] == str(PROGRAM) and seen["argv"][-1] == "web:app"
    assert seen["child"] == [packages]
    assert server.get("/spawn", timeout=60).json() == {"answer": 49}
    assert server.status()["server"]["pid"] == server.pid, "the wrapper has become the program"


DDTRACE = """
import ddtrace

@app.route("/span")
def span():
    return dict(name=getattr(ddtrace.tracer.current_span(), "name", None))
"""


def test_ddtrace_run(wrapped, packages):
    env = {
        "DD_INSTRUMENTATION_TELEMETRY_ENABLED": "false",
        "DD_REMOTE_CONFIGURATION_ENABLED": "false",
        "DD_CRASHTRACKING_ENABLED": "false",
        "DD_TRACE_AGENT_URL": "http://127.0.0.1:9",
    }
    server = wrapped([f"{packages}/bin/ddtrace-run"], DDTRACE, env)
    assert server.get("/span").json()["name"] == "web.span"
    check_python(server, packages)


NEW_RELIC = """
import newrelic.agent

@app.route("/span")
def span():
    return dict(name=getattr(newrelic.agent.current_transaction(), "name", None))
"""


def test_newrelic_admin_run_program(wrapped, packages, server):
    file = server.write(
        "newrelic.ini", "[newrelic]\nlicense_key = 0123456789012345678901234567890123456789\ndeveloper_mode = true\napp_name = x\n"
    )
    wrapped([f"{packages}/bin/newrelic-admin", "run-program"], NEW_RELIC, {"NEW_RELIC_CONFIG_FILE": file, "NEW_RELIC_STARTUP_TIMEOUT": "10"})
    assert server.get("/span", timeout=30).json()["name"] == "web:span"
    check_python(server, packages)


OPENTELEMETRY = """
from opentelemetry import trace

@app.route("/span")
def span():
    context = trace.get_current_span().get_span_context()
    return dict(trace=format(context.trace_id, "032x"), valid=context.is_valid)
"""


def test_opentelemetry_instrument(wrapped, packages, server):
    env = {
        "OTEL_TRACES_EXPORTER": "console",
        "OTEL_METRICS_EXPORTER": "none",
        "OTEL_LOGS_EXPORTER": "none",
        "OTEL_BSP_SCHEDULE_DELAY": "50",
        "OTEL_SERVICE_NAME": "behind-gunwale",
        "PYTHONUNBUFFERED": "1",
    }
    wrapped([f"{packages}/bin/opentelemetry-instrument"], OPENTELEMETRY, env)
    seen = server.get("/span").json()
    assert seen["valid"]
    # The exporter's thread is started anew in the forked worker.
    wait_until(lambda: seen["trace"] in server.out_path.read_text())
    assert "behind-gunwale" in server.out_path.read_text()
    check_python(server, packages)


@pytest.mark.parametrize("active", [True, False])
def test_uv_run(wrapped, packages, server, active):
    """uv stays in front, and hands signals on: the server's end is tested by how every test ends."""
    uv = shutil.which("uv")
    if uv is None:
        pytest.skip("no uv on PATH")
    (server.folder / ".venv").symlink_to(packages)
    env = {"UV_OFFLINE": "1", "UV_CACHE_DIR": server.folder / "cache", "VIRTUAL_ENV": packages if active else None}
    wrapped([uv, "run", "--no-project", *(["--active"] if active else [])], "", env, becomes=False)
    assert server.get("/python").json()["prefix"] in (packages, str(server.folder / ".venv"))


def test_what_poetry_and_pipenv_do(wrapped, packages, server):
    """They set VIRTUAL_ENV and PATH, and run the command in their place."""
    wrapped(["/usr/bin/env", "-u", "PYTHONHOME", f"VIRTUAL_ENV={packages}"], "", {"VIRTUAL_ENV": None})
    check_python(server, packages)
