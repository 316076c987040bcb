# SPDX-License-Identifier: MIT
"""logconfig_dict, logconfig_json, logconfig: Python's logging configuration writes the lines."""

import json
import re

import pytest
from rawclient import wait_until

pytestmark = pytest.mark.quick

DICT = """
logconfig_dict = {
    "formatters": {"short": {"format": "%(levelname)s|%(process)d|%(message)s"}, "bare": {"format": "A|%(message)s"}},
    "handlers": {
        "console": {"class": "logging.StreamHandler", "formatter": "short", "stream": "ext://sys.stderr"},
        "error_console": {"class": "logging.StreamHandler", "formatter": "short", "stream": "ext://sys.stderr"},
        "access": {"class": "logging.FileHandler", "formatter": "bare", "filename": "access"},
    },
    "loggers": {
        "gunicorn.error": {"level": "LEVEL", "handlers": ["error_console"], "propagate": False},
        "gunicorn.access": {"level": "INFO", "handlers": ["access"], "propagate": False},
    },
}
"""


def read(server, name):
    path = server.folder / name
    return path.read_text() if path.exists() else ""


def start(server, conf, args=(), **arguments):
    """The lines have another form: the address cannot be read from them."""
    server.write("gunicorn.conf.py", conf)
    server.spawn(["-b", "unix:socket", "--status-file", server.status_path, *args, "basic:app"], **arguments)
    server.address = str(server.folder / "socket")
    server.wait_ready()


def test_a_dictionary_writes_every_line(server):
    start(server, DICT.replace("LEVEL", "INFO"))
    (worker,) = server.workers()
    assert server.get("/").code == 200 and server.get("/raise").code == 500
    wait_until(lambda: read(server, "access").count("\n") == 2)
    assert re.match(r'A\| - - \[.*\] "GET / HTTP/1\.1" 200 5 "-" "-"\nA\|.* 500 ', read(server, "access"))
    server.stop()
    lines = server.log().splitlines()
    assert lines[0].startswith(f"INFO|{server.pid}|Starting gunwale")
    assert f"INFO|{server.pid}|Listening at: unix:socket ({server.pid})" in lines
    assert f"INFO|{worker}|Booting worker with pid: {worker}" in lines
    assert f"ERROR|{worker}|Error handling request /raise" in lines
    assert lines[-1] == f"INFO|{server.pid}|Shutting down: Master"
    assert not [line for line in lines if line.startswith("[")]


def test_the_level_of_the_dictionary_counts(server):
    start(server, DICT.replace("LEVEL", "DEBUG"))
    server.get("/x")
    server.wait_log(r"^DEBUG\|\d+\|GET /x$")
    server.stop()


def test_a_json_file_and_one_that_is_not_there(server):
    server.write(
        "log.json",
        json.dumps(
            {
                "formatters": {"generic": {"format": "J|%(levelname)s|%(message)s"}},
                "loggers": {"gunicorn.error": {"level": "INFO", "handlers": ["error_console"], "propagate": False}},
                "root": {"level": "INFO", "handlers": []},
            }
        ),
    )
    start(server, "", args=["--log-config-json", "log.json"])
    server.wait_log(r"^J\|INFO\|Listening at: unix:socket")
    server.stop()
    start(server, "", args=["--log-config-json", "missing.json"])
    server.wait_log(r"^\[.*\] \[INFO\] Listening at: unix:socket")


def test_an_ini_file(server):
    server.write(
        "log.ini",
        """
        [loggers]
        keys=root,error
        [handlers]
        keys=file
        [formatters]
        keys=plain
        [logger_root]
        level=WARNING
        handlers=file
        [logger_error]
        level=INFO
        handlers=file
        qualname=gunicorn.error
        propagate=0
        [handler_file]
        class=FileHandler
        formatter=plain
        args=("%(here)s/from_ini",)
        [formatter_plain]
        format=I|%(levelname)s|%(message)s
        """,
    )
    start(server, "", args=["--log-config", server.folder / "log.ini"])
    wait_until(lambda: "I|INFO|Booting worker with pid: " in read(server, "from_ini"))
    assert f"I|INFO|Listening at: unix:socket ({server.pid})\n" in read(server, "from_ini")


@pytest.mark.parametrize(
    "conf, args, sentence",
    [
        ("", ["--log-config", "missing.ini"], "Error: log config 'missing.ini' not found"),
        ("logconfig_dict = {'handlers': {'x': {'class': 'no.such.Handler'}}}\n", [], "Unable to configure handler 'x'"),
    ],
)
def test_what_is_broken_ends_the_start(server, conf, args, sentence):
    server.write("gunicorn.conf.py", conf)
    result = server.run(["-b", "unix:socket", *args, "basic:app"])
    assert result.returncode == 1 and sentence in result.stderr, result


def test_classes_in_the_dictionary(server):
    """Objects that JSON cannot hold."""
    start(
        server,
        """
import logging

class Mine(logging.Formatter):
    def format(self, record):
        return "mine " + record.getMessage()

logconfig_dict = {
    "root": {"handlers": []},
    "formatters": {"generic": {"()": Mine}},
    "loggers": {"gunicorn.error": {"level": "INFO", "handlers": ["error_console"], "propagate": False}},
}
""",
    )
    server.wait_log(r"^mine Booting worker with pid: \d+$")


def test_python_json_logger(server, packages):
    """The recipe that is found in many configuration files."""
    start(
        server,
        """
fields = "%(asctime)s %(levelname)s %(process)d %(name)s %(message)s"
logconfig_dict = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"json": {"()": "pythonjsonlogger.json.JsonFormatter", "format": fields}},
    "handlers": {
        "error": {"class": "logging.StreamHandler", "formatter": "json", "stream": "ext://sys.stderr"},
        "access": {"class": "logging.StreamHandler", "formatter": "json", "stream": "ext://sys.stdout"},
    },
    "root": {"level": "INFO", "handlers": []},
    "loggers": {
        "gunicorn.error": {"level": "INFO", "handlers": ["error"], "propagate": False},
        "gunicorn.access": {"level": "INFO", "handlers": ["access"], "propagate": False},
    },
}
""",
        env={"VIRTUAL_ENV": packages},
    )
    (worker,) = server.workers()
    assert server.get("/?q=%22").code == 200 and server.get("/raise").code == 500
    wait_until(lambda: server.out_path.read_text().count("\n") == 2)
    access = [json.loads(line) for line in server.out_path.read_text().splitlines()]
    assert access[0]["name"] == "gunicorn.access" and '"GET /?q=%22 HTTP/1.1" 200 5' in access[0]["message"]
    server.stop()
    lines = [json.loads(line) for line in server.log().splitlines()]
    assert {line["process"] for line in lines} == {server.pid, worker}
    (failed,) = [line for line in lines if line["levelname"] == "ERROR"]
    assert failed["message"] == "Error handling request /raise" and "Traceback" in failed["exc_info"]
    assert lines[-1]["message"] == "Shutting down: Master" and lines[-1]["process"] == server.pid


def test_what_only_some_settings_need_is_not_imported(server):
    """Each module costs every start and every reload some milliseconds."""
    source = """
        import sys
        seen = {"logging.config", "logging.handlers", "socketserver", "shutil"} & set(sys.modules)

        def app(environ, start_response):
            body = " ".join(sorted(seen)).encode()
            start_response("200 OK", [("Content-Length", str(len(body)))])
            return [body]
    """
    server.write("lean.py", source)
    server.start("lean:app")
    assert server.get("/").text == ""
