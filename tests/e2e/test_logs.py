# SPDX-License-Identifier: MIT
"""Log lines: shapes, places, levels, the access log."""

import base64
import contextlib
import re

import pytest
from rawclient import wait_until

pytestmark = pytest.mark.quick

LINE = re.compile(r"^\[\d{4}-\d\d-\d\d \d\d:\d\d:\d\d [+-]\d{4}\] \[\d+\] \[(DEBUG|INFO|WARNING|ERROR|CRITICAL)\] .+$")


def access_lines(server, count, name="access"):
    """Waits for so many lines."""
    path = server.folder / name
    wait_until(lambda: path.exists() and len(path.read_text().splitlines()) >= count)
    lines = path.read_text().splitlines()
    assert len(lines) == count
    return lines


def start_with_format(server, text, **arguments):
    server.write("gunicorn.conf.py", f"access_log_format = {text!r}\n")
    return server.start(args=["--access-logfile", "access"], **arguments)


def test_every_line_of_the_error_log_has_gunicorns_shape(server):
    server.start(workers=2, args=["--log-level", "debug"])
    server.get("/")
    server.signal("HUP")
    server.wait_log("Hang up: Master")
    server.stop()
    lines = server.log().splitlines()
    odd = [line for line in lines if not LINE.match(line) and not line.startswith("  ")]
    assert len(lines) > 8 and not odd


def test_booting_line_comes_from_the_worker_itself(server):
    server.start(workers=1)
    (worker,) = server.workers()
    server.wait_log(rf"\[{worker}\] \[INFO\] Booting worker with pid: {worker}$")


@pytest.mark.parametrize("level, shown", [("debug", "DEBUG"), ("INFO", "INFO"), ("warning", "WARNING"), ("error", "ERROR")])
def test_levels(server, level, shown):
    order = ["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"]
    server.spawn(["-b", "unix:" + str(server.folder / "socket"), "--log-level", level, "basic:app"])
    server.address = str(server.folder / "socket")
    wait_until(server.can_connect)
    assert server.get("/raise").code == 500
    server.wait_log(r"\[ERROR\] Error handling request")
    server.stop()
    seen = set(re.findall(r"\] \[([A-Z]+)\] ", server.log()))
    assert seen and all(order.index(one) >= order.index(shown) for one in seen)
    assert (shown in seen) or shown == "WARNING"


def test_no_access_log_by_default(server):
    server.start()
    server.get("/")
    server.stop()
    assert "GET / HTTP" not in server.log() and server.out_path.read_text() == ""


def test_access_log_on_stdout(server):
    server.start(args=["--access-logfile", "-"])
    server.get("/")
    wait_until(lambda: '"GET / HTTP/1.1" 200 5' in server.out_path.read_text())


def test_default_format(server):
    server.start(args=["--access-logfile", "access"])
    server.get("/environ?x=1", headers={"Referer": "http://r/", "User-Agent": 'a "quoted" agent'})
    (line,) = access_lines(server, 1)
    assert re.fullmatch(
        r"127\.0\.0\.1 - - \[\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d [+-]\d{4}\] "
        r'"GET /environ\?x=1 HTTP/1\.1" 200 \d+ "http://r/" "a \\"quoted\\" agent"',
        line,
    ), line


def test_every_atom(server):
    atoms = "h l u t r s m U q H b B f a T M D L p".split()
    text = "|".join(f"%({atom})s" for atom in atoms)
    text += "|%({X-Req}i)s|%({x-missing}i)s|%({X-Mixed-Case}o)s|%({SERVER_PROTOCOL}e)s|%(unknown)s|%%"
    start_with_format(server, text)
    (worker,) = server.workers()
    user = base64.b64encode(b"alice:secret").decode()
    server.get("/headers?q=%20", headers={"Authorization": "Basic " + user, "X-Req": "seen"})
    (line,) = access_lines(server, 1)
    values = line.split("|")
    got = dict(zip(atoms, values))
    assert got["h"] == "127.0.0.1" and got["l"] == "-" and got["u"] == "alice"
    assert got["r"] == "GET /headers?q=%20 HTTP/1.1"
    assert (got["m"], got["U"], got["q"], got["H"]) == ("GET", "/headers", "q=%20", "HTTP/1.1")
    assert (got["s"], got["b"], got["B"]) == ("200", "7", "7")
    assert (got["f"], got["a"]) == ("-", "-")
    assert got["T"] == "0" and int(got["M"]) < 5000 and int(got["D"]) < 5000000
    assert re.fullmatch(r"\d+\.\d{6}", got["L"]) and got["p"] == f"<{worker}>"
    assert values[len(atoms) :] == ["seen", "-", "kept", "HTTP/1.1", "-", "%"]


def test_python_conversions_in_the_format(server):
    start_with_format(server, "%(s)5s|%(B)d|%(B)08d|%(h)-12s|%(T)d|%(m).2s")
    server.get("/")
    (line,) = access_lines(server, 1)
    assert line == "  200|5|00000005|127.0.0.1   |0|GE"


def test_one_line_for_each_request(server):
    server.start(args=["--access-logfile", "access"])
    with server.raw() as client:
        for number in range(20):
            client.request("GET", f"/?{number}")
        client.send(b"".join(b"GET /?p%d HTTP/1.1\r\nHost: h\r\n\r\n" % number for number in range(20)))
        for _ in range(20):
            client.read_response()
    lines = access_lines(server, 40)
    assert [line.split()[6] for line in lines] == [f"/?{n}" for n in range(20)] + [f"/?p{n}" for n in range(20)]


def test_exceptions_and_missing_pages_are_in_the_access_log(server):
    server.start(args=["--access-logfile", "access"])
    server.get("/nowhere")
    server.get("/raise")
    lines = access_lines(server, 2)
    assert '"GET /nowhere HTTP/1.1" 404' in lines[0] and '"GET /raise HTTP/1.1" 500' in lines[1]


def test_control_bytes_cannot_forge_lines(server):
    server.start(args=["--access-logfile", "access"])
    server.get("/x%0aforged", headers={"User-Agent": "tab\tagent"})
    (line,) = access_lines(server, 1)
    assert "forged" in line


def test_streamed_bytes_are_counted(server):
    start_with_format(server, "%(B)s")
    assert len(server.get("/lines?n=100").body) == int(access_lines(server, 1)[0])


def test_error_log_in_a_file_and_captured_output(server):
    server.spawn(["-b", "127.0.0.1:0", "--error-logfile", "error", "--capture-output", "--status-file", server.status_path, "basic:app"])
    path = server.folder / "error"
    wait_until(lambda: path.exists() and "Listening at" in path.read_text())
    server.address = ("127.0.0.1", int(re.search(r"Listening at: http://127.0.0.1:(\d+)", path.read_text()).group(1)))
    assert server.get("/errors").code == 200
    wait_until(lambda: "printed to stdout" in path.read_text())
    assert "written to wsgi.errors" in path.read_text()
    server.stop()
    assert "Shutting down: Master" in path.read_text()


def test_an_error_log_that_cannot_be_opened_exits_1(server):
    result = server.run(["--error-logfile", "/no/such/folder/log", "basic:app"])
    assert result.returncode == 1
    assert "isn't writable" in result.stderr and "/no/such/folder/log" in result.stderr


def test_python_loggers_exist_in_the_application(server):
    """Flask applications copy the handlers of gunicorn.error."""
    server.write(
        "logging_app.py",
        """
        import logging
        from basic import answer

        def app(environ, start_response):
            theirs = logging.getLogger("gunicorn.error")
            mine = logging.getLogger("mine")
            mine.handlers = theirs.handlers
            mine.setLevel(theirs.level)
            mine.info("from the application")
            return answer(start_response, str(len(theirs.handlers)))
        """,
    )
    server.start("logging_app:app")
    (worker,) = server.workers()
    assert int(server.get("/").text) >= 1
    server.wait_log(rf"^\[[^]]+\] \[{worker}\] \[INFO\] from the application$")


def test_a_stuck_reader_of_the_log_does_not_stop_the_service(server):
    """gunicorn blocks for ever after some hundred requests when nobody reads its access log pipe."""
    import os

    reader, writer = os.pipe()
    server.write("gunicorn.conf.py", "accesslog = '-'\n")
    with open(server.log_path, "ab") as log:
        import subprocess

        import server as harness

        server.started_at = 0
        server.process = subprocess.Popen(
            [str(harness.PROGRAM), "-b", "127.0.0.1:0", "basic:app"],
            cwd=server.folder,
            env=server.environment(),
            stdin=subprocess.DEVNULL,
            stdout=writer,
            stderr=log,
            start_new_session=True,
        )
    os.close(writer)
    server.wait_listening()
    with server.raw() as client:
        for _ in range(3000):
            assert client.request().code == 200
    server.stop()
    os.close(reader)


@pytest.mark.parametrize("conf", ["", "from gunicorn.glogging import Logger\nclass logger_class(Logger):\n    pass\n"])
def test_lines_that_a_stuck_reader_costs_are_counted_and_told(server, conf):
    """In C, and through a Python logger's default handlers."""
    import os

    os.mkfifo(server.folder / "access")
    reader = os.open(server.folder / "access", os.O_RDONLY | os.O_NONBLOCK)
    server.start(conf=conf, args=["--access-logfile", "access"])
    with server.raw() as client:

        def is_dropping():
            for _ in range(100):
                assert client.request("GET", "/?" + "x" * 500).code == 200
            return server.status()["totals"]["log_dropped_total"] > 0

        wait_until(is_dropping)

        def is_told():
            with contextlib.suppress(BlockingIOError):
                while os.read(reader, 65536):
                    pass
            assert client.request().code == 200
            return server.log_contains(r"\[WARNING\] \d+ access log lines were lost: the access log could not take more$")

        wait_until(is_told)
    os.close(reader)


def test_a_stuck_error_log_is_counted_and_told(server):
    import os

    os.mkfifo(server.folder / "errors")
    reader = os.open(server.folder / "errors", os.O_RDONLY | os.O_NONBLOCK)
    server.spawn(["-b", "unix:socket", "--status-file", server.status_path, "--error-logfile", "errors", "basic:app"])
    server.address = str(server.folder / "socket")
    server.wait_ready()

    def is_dropping():
        for _ in range(50):
            assert server.get("/raise").code == 500
        return server.status()["totals"]["log_dropped_total"] > 0

    wait_until(is_dropping)
    seen = []

    def is_told():
        with contextlib.suppress(BlockingIOError):
            while True:
                seen.append(os.read(reader, 65536))
        assert server.get("/raise").code == 500
        return re.search(rb"\[WARNING\] \d+ log messages? w\w+ lost", b"".join(seen))

    wait_until(is_told)
    os.close(reader)


def test_a_broken_access_log_format_is_named_and_the_server_serves(server):
    server.start(args=["--access-logfile", "access", "--access-logformat", "%(h"])
    assert server.log_contains(r"There is no access log: Invalid value for access_log_format: '%\(h': incomplete format key")
    assert server.get("/").code == 200 and server.get("/nowhere").code == 404
    assert server.read("access") == ""
