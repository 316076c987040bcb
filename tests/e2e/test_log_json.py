# SPDX-License-Identifier: MIT
"""--log-format json: every line is one JSON object, whatever clients and applications put into it."""

import base64
import json
import logging

import pytest
from rawclient import wait_until

pytestmark = pytest.mark.quick

START = ["--log-format", "json", "--access-logfile", "access"]


def objects(text):
    return [json.loads(line) for line in text.splitlines()]


def access(server, count):
    path = server.folder / "access"
    wait_until(lambda: path.exists() and len(path.read_text().splitlines()) >= count)
    found = objects(path.read_text())
    assert len(found) == count
    return found


def start(server, app="basic:app", args=(), conf=""):
    server.write("gunicorn.conf.py", conf)
    server.spawn(["-b", "unix:socket", "--status-file", server.status_path, *START, *args, app])
    server.address = str(server.folder / "socket")
    server.wait_ready()


def test_every_line_of_the_error_log_is_an_object(server):
    start(server, args=["--log-level", "debug"])
    (worker,) = server.workers()
    assert server.get("/raise").code == 500
    server.stop()
    lines = objects(server.log())
    assert all(set(line) <= {"time", "pid", "level", "message", "exception", "details", "logger"} for line in lines)
    by_message = {line["message"]: line for line in lines}
    assert by_message["Shutting down: Master"]["pid"] == server.pid
    assert by_message[f"Booting worker with pid: {worker}"]["level"] == "INFO"
    failed = by_message["Error handling request /raise"]
    assert failed["level"] == "ERROR" and failed["pid"] == worker
    assert failed["exception"].startswith("Traceback (most recent call last):\n") and "\n" in failed["exception"].strip()
    assert all(len(line["time"]) == len("2026-11-22T10:11:12+00:00") for line in lines)


def test_the_fields_of_an_access_line(server):
    start(server, conf="access_log_format = '%({X-Req}i)s %({x-mixed-case}o)s %({SERVER_PROTOCOL}e)s %({x-none}i)s'\n")
    (worker,) = server.workers()
    user = base64.b64encode(b"alice:secret").decode()
    server.get("/headers?q=%20", headers={"Authorization": "Basic " + user, "X-Req": 'say "hi"', "Referer": "http://r/"})
    (line,) = access(server, 1)
    assert line.pop("time") and line.pop("duration_us") >= 0
    assert line == {
        "pid": worker,
        "remote_addr": "",
        "user": "alice",
        "method": "GET",
        "target": "/headers?q=%20",
        "path": "/headers",
        "query": "q=%20",
        "protocol": "HTTP/1.1",
        "status": 200,
        "body_bytes": 7,
        "referer": "http://r/",
        "user_agent": None,
        "{X-Req}i": 'say "hi"',
        "{x-mixed-case}o": "kept",
        "{SERVER_PROTOCOL}e": "HTTP/1.1",
        "{x-none}i": None,
    }


def test_nothing_forges_a_line_or_breaks_an_object(server):
    start(server)
    with server.raw() as client:
        odd = b"tab\there \"quote\" back\\slash \xc3\xa9 \xff\xc2\x9b \xe2\x80\xa8 end"
        client.send(b"GET /x%0a%22forged%22:%5c%ff%00%e2%80%a8 HTTP/1.1\r\nHost: h\r\nUser-Agent: " + odd + b"\r\n\r\n")
        assert client.read_response().code == 404
    (line,) = access(server, 1)
    assert line["path"] == '/x\n"forged":\\\\xff\0\\xe2\\x80\\xa8'
    assert line["user_agent"] == 'tab\there "quote" back\\slash é \\xff\\xc2\\x9b \\xe2\\x80\\xa8 end'
    raw = (server.folder / "access").read_bytes()
    assert all(byte >= 0x20 for byte in raw.replace(b"\n", b"")) and raw.count(b"\n") == 1


def test_lines_of_the_application_and_of_hooks(server):
    server.write(
        "talk.py",
        """
        import logging
        from basic import app
        try:
            1 / 0
        except ZeroDivisionError:
            logging.getLogger("gunicorn.error").exception("two\\nlines %s", '"quoted"')
        """,
    )
    start(server, "talk:app")
    wait_until(lambda: "quoted" in server.log())
    (line,) = [line for line in objects(server.log()) if line["message"].startswith("two")]
    assert line["message"] == 'two\nlines "quoted"' and line["logger"] == "gunicorn.error"
    assert line["level"] == logging.getLevelName(logging.ERROR) and "ZeroDivisionError" in line["exception"]


def test_a_value_that_is_none_of_the_two(server):
    result = server.run(["--log-format", "xml", "basic:app"])
    assert result.returncode in (1, 2) and "log_format" in result.stderr.replace("log-format", "log_format")
    assert "xml" in result.stderr
