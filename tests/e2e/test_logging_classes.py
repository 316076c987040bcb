# SPDX-License-Identifier: MIT
"""logger_class, and loggers that the configuration file or the application changed: lines go through Python."""

import json
import os
import re
import signal

import pytest
from rawclient import wait_until

pytestmark = pytest.mark.quick

# A subclass as people write them: its own prefix, no access line for health checks, context for timeouts.
SUBCLASS = """
from gunicorn.glogging import Logger

class Mine(Logger):
    def setup(self, cfg):
        super().setup(cfg)
        assert self.error_log.handlers and self.cfg is cfg

    def info(self, msg, *args, **kwargs):
        super().info("mine: " + msg, *args, **kwargs)

    def critical(self, msg, *args, **kwargs):
        super().critical(msg + " (noted)", *args, **kwargs)

    def exception(self, msg, *args, **kwargs):
        import sys
        super().exception(msg + f" <{sys.exc_info()[0].__name__}>", *args, **kwargs)

    def atoms(self, resp, req, environ, request_time):
        found = super().atoms(resp, req, environ, request_time)
        found["z"] = f"{type(req).__name__}:{resp.status_code}:{request_time.days}"
        return found

    def access(self, resp, req, environ, request_time):
        if environ["PATH_INFO"] != "/health":
            super().access(resp, req, environ, request_time)
"""


def start_with_class(server, value="Mine", more="", **arguments):
    conf = SUBCLASS + f"logger_class = {value}\naccesslog = 'access'\naccess_log_format = '%(m)s %(U)s %(s)s %(z)s'\n"
    return server.start(conf=conf + more, **arguments)


def access_lines(server, count):
    path = server.folder / "access"
    wait_until(lambda: path.exists() and len(path.read_text().splitlines()) >= count)
    return path.read_text().splitlines()


def test_every_line_of_master_and_workers_goes_through_the_class(server):
    start_with_class(server)
    (worker,) = server.workers()
    server.get("/health")
    assert server.get("/raise").code == 500
    assert server.get("/").code == 200
    assert access_lines(server, 2) == ["GET /raise 500 Request:500:0", "GET / 200 Request:200:0"]
    server.stop()
    lines = [line for line in server.log().splitlines() if line.startswith("[")]
    head = rf"\[[^]]+\] \[{server.pid}\] \[INFO\] mine: "
    assert re.match(head + "Starting gunwale", lines[0]), lines
    assert re.match(head + "Listening at", lines[1]) and re.match(head + "Using worker", lines[2])
    assert re.search(rf"\[{worker}\] \[INFO\] mine: Booting worker with pid: {worker}$", server.log(), re.MULTILINE)
    assert re.search(rf"\[{worker}\] \[ERROR\] Error handling request /raise <\w+>\nTraceback", server.log())
    assert re.search(rf"\[{worker}\] \[INFO\] mine: Worker exiting", server.log())
    assert re.match(head + "Shutting down: Master$", lines[-1]), lines
    plain = [line for line in lines if "[INFO]" in line and "mine: " not in line]
    assert not plain


@pytest.mark.parametrize("value", ["'myloggers.Mine'", "lambda: Mine"])
def test_the_class_by_its_name_and_from_a_function(server, value):
    server.write("myloggers.py", SUBCLASS)
    start_with_class(server, value)
    server.wait_log(r"\[INFO\] mine: Listening at")


def test_the_command_line_wins_over_the_class_of_the_file(server):
    start_with_class(server, args=["--logger-class", "simple"])
    assert server.log_contains("Listening at") and not server.log_contains("mine: ")
    server.get("/")
    assert access_lines(server, 1) == ["GET / 200 -"]


def test_a_class_that_is_not_found_ends_the_start(server):
    result = server.run(["-b", "127.0.0.1:0", "--logger-class", "no.such.Logger", "basic:app"])
    assert result.returncode == 1
    assert "Error: class uri 'no.such.Logger' invalid or not found" in result.stderr


def test_hooks_share_the_logger(server):
    start_with_class(
        server,
        more="""
def when_ready(server):
    server.log.info("from the server hook, %s", type(server.log).__name__)

def post_fork(server, worker):
    worker.log.critical("from the worker hook %s", worker.log is server.log)
""",
    )
    server.wait_log(r"\[INFO\] mine: from the server hook, Mine$")
    server.wait_log(r"\[CRITICAL\] from the worker hook True \(noted\)$")


def test_a_worker_timeout_reaches_the_class(server):
    start_with_class(server, args=["--timeout", "1"])
    (worker,) = server.workers()
    with server.raw() as client:
        client.send(b"GET /stuck HTTP/1.1\r\nHost: h\r\n\r\n")
        os.kill(worker, signal.SIGSTOP)
        server.wait_log(rf"\[{server.pid}\] \[CRITICAL\] WORKER TIMEOUT \(pid:{worker}\) \(noted\)$")


def test_a_logger_that_raises_does_no_harm(server):
    server.start(
        conf="""
from gunicorn.glogging import Logger

class Broken(Logger):
    def info(self, *args, **kwargs):
        raise ValueError("broken info")

    def access(self, *args):
        raise ValueError("broken access")

logger_class = Broken
accesslog = "-"
"""
    )
    assert [server.get("/").code for _ in range(3)] == [200, 200, 200]
    server.wait_log(r"\[INFO\] Booting worker")  # as plain text, then
    server.wait_log("ValueError: broken info")
    server.wait_log("Exception in the logger's access")


def test_a_template_that_hangs_does_not_silence_the_master(server):
    """Its lines come as plain text after a moment, requests are answered, and those it never logged come when it is gone."""
    start_with_class(server)
    template = server.template()
    os.kill(template, signal.SIGSTOP)

    def is_plain():
        server.signal("USR1")
        return server.log_contains(r"\[INFO\] Handling signal: usr1$")

    wait_until(is_plain)
    assert server.get("/").code == 200
    (server.folder / "log").read_text()
    server.signal("KILL", template)
    server.wait_log(r"\[ERROR\] .*[Tt]emplate")
    server.stop()
    assert server.log_contains("mine: Shutting down: Master") or server.log_contains("Shutting down: Master")


def test_lines_that_a_dead_template_has_not_logged_are_written(server):
    start_with_class(server)
    template = server.template()
    os.kill(template, signal.SIGSTOP)
    server.signal("USR1")
    server.signal("KILL", template)
    server.wait_log(r"\[INFO\] (mine: )?Handling signal: usr1$")
    server.wait_log(r"\[ERROR\] .*[Tt]emplate")


def test_usr1_reopens_through_the_class(server):
    server.write(
        "gunicorn.conf.py",
        """
import os
from gunicorn.glogging import Logger

class Mine(Logger):
    def reopen_files(self):
        super().reopen_files()
        self.info("reopened by %s", os.getpid())

logger_class = Mine
errorlog = "errors"
bind = "unix:socket"
""",
    )
    server.spawn(["--status-file", server.status_path, "basic:app"])
    server.wait_ready()
    path = server.folder / "errors"
    (worker,) = server.workers()
    template = server.template()
    os.rename(path, server.folder / "errors.1")
    server.signal("USR1")
    for pid in (worker, template):
        wait_until(lambda pid=pid: path.exists() and f"reopened by {pid}" in path.read_text() + server.read("errors.1"))
    server.signal("TTIN")
    wait_until(lambda: f"[{server.pid}] [INFO] Handling signal: ttin" in path.read_text())


def test_a_filter_of_the_configuration_file(server):
    server.start(
        conf="""
import logging

class NoHealth(logging.Filter):
    def filter(self, record):
        return record.args["U"] != "/health"

def when_ready(server):
    server.log.access_log.addFilter(NoHealth())

accesslog = "access"
access_log_format = "%(U)s %({x-seen}i)s %({X-Mixed-Case}o)s %({server_protocol}e)s"
"""
    )
    assert server.get("/health").code == 404
    assert server.get("/headers", headers={"X-Seen": "yes"}).code == 200
    assert access_lines(server, 1) == ["/headers yes kept HTTP/1.1"]


def test_a_handler_of_the_application_sees_what_the_worker_logs(server):
    server.write(
        "handled.py",
        """
        import json, logging, os
        from basic import app

        class Keep(logging.Handler):
            def emit(self, record):
                with open(f"kept.{os.getpid()}", "a") as file:
                    file.write(json.dumps([record.name, record.levelname, record.getMessage(), bool(record.exc_info)]) + "\\n")

        logging.getLogger("gunicorn.error").addHandler(Keep())
        """,
    )
    server.start("handled:app")
    (worker,) = server.workers()
    assert server.get("/raise").code == 500
    kept = server.folder / f"kept.{worker}"
    wait_until(kept.exists)
    first = json.loads(kept.read_text().splitlines()[0])
    assert first == ["gunicorn.error", "ERROR", "Error handling request /raise", True]
    server.wait_log(r"\[ERROR\] Error handling request /raise$")  # the usual handler is still there
    assert server.log_contains("Error handling request", times=1)


def test_control_characters_cannot_forge_lines_in_python_either(server):
    start_with_class(server)
    server.get("/x%0aforged%22%1b[2J%C2%9b")
    (line,) = access_lines(server, 1)
    assert line.startswith("GET /x\\x0aforged\\\"\\x1b[2J") and "\x9b" not in line


def test_subclasses_of_the_real_package(server, packages):
    """The same class, but its base is gunicorn's own."""
    start_with_class(server, env={"VIRTUAL_ENV": packages})
    server.get("/health")
    assert server.get("/raise").code == 500
    server.get("/x%0aforged")
    lines = access_lines(server, 2)
    assert lines[0] == "GET /raise 500 Request:500:0" and lines[1].startswith("GET /x\\x0aforged 404")
    server.stop()
    assert re.search(rf"\[{server.pid}\] \[INFO\] mine: Listening at", server.log())
    assert re.search(r"\[ERROR\] Error handling request /raise <\w+>\nTraceback", server.log())


def test_a_reload_may_change_the_class(server):
    server.start(conf="")
    server.write("gunicorn.conf.py", SUBCLASS + "logger_class = Mine\n")
    server.signal("HUP")
    server.wait_log(r"\[INFO\] mine: Booting worker")
    server.wait_log(rf"\[{server.pid}\] \[INFO\] mine: Generation 2 serves$")
    server.write("gunicorn.conf.py", "")
    server.signal("HUP")
    server.wait_log(rf"\[{server.pid}\] \[INFO\] Generation 3 serves$")
