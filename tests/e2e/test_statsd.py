# SPDX-License-Identifier: MIT
"""statsd_host: a real receiver sees gunicorn's metrics."""

import contextlib
import re
import socket

import pytest
from rawclient import wait_until

pytestmark = pytest.mark.quick


class Receiver:
    """A statsd server: keeps what comes."""

    def __init__(self, family=socket.AF_INET, address=("127.0.0.1", 0)):
        self.socket = socket.socket(family, socket.SOCK_DGRAM)
        self.socket.bind(address)
        self.socket.setblocking(False)
        self.seen = []

    @property
    def host(self):
        name = self.socket.getsockname()
        return f"unix://{name}" if isinstance(name, str) else f"127.0.0.1:{name[1]}"

    def take(self):
        with contextlib.suppress(BlockingIOError):
            while True:
                self.seen.append(self.socket.recv(4096).decode())
        return self.seen

    def wait(self, text):
        """Until a metric has come that the pattern fits as a whole."""
        wait_until(lambda: any(re.fullmatch(text, one) for one in self.take()), what=f"{text} in {self.seen}")

    def count(self, text):
        return len([one for one in self.take() if re.fullmatch(text, one)])


@pytest.fixture
def receiver():
    made = Receiver()
    yield made
    made.socket.close()


def test_requests_workers_and_log_lines(server, receiver):
    server.start(args=["--statsd-host", receiver.host, "--workers", "2"])
    receiver.wait(r"gunicorn\.workers:2\|g")
    for _ in range(3):
        assert server.get("/").code == 200
    assert server.get("/nowhere").code == 404
    assert server.get("/raise").code == 500
    receiver.wait(r"gunicorn\.request\.status\.500:1\|c\|@1\.0")
    receiver.wait(r"gunicorn\.log\.exception:1\|c\|@1\.0")
    assert receiver.count(r"gunicorn\.requests:1\|c\|@1\.0") == 5
    assert receiver.count(r"gunicorn\.request\.duration:\d+\.\d+\|ms") == 5
    assert receiver.count(r"gunicorn\.request\.status\.200:1\|c\|@1\.0") == 3
    assert receiver.count(r"gunicorn\.request\.status\.404:1\|c\|@1\.0") == 1
    server.signal("TTIN")
    receiver.wait(r"gunicorn\.workers:3\|g")


def test_prefix_and_tags(server, receiver):
    server.start(args=["--statsd-host", receiver.host, "--statsd-prefix", "site.web..", "--dogstatsd-tags", "env:test,az:1"])
    server.get("/")
    receiver.wait(r"site\.web\.gunicorn\.requests:1\|c\|@1\.0\|#env:test,az:1")
    receiver.wait(r"site\.web\.gunicorn\.workers:1\|g\|#env:test,az:1")


def test_a_unix_socket_that_comes_later(server):
    path = str(server.folder / "statsd")
    server.start(args=["--statsd-host", f"unix://{path}"])
    assert server.get("/").code == 200  # nobody listens yet
    receiver = Receiver(socket.AF_UNIX, path)
    server.get("/")
    receiver.wait(r"gunicorn\.requests:1\|c\|@1\.0")
    receiver.socket.close()


def test_metrics_by_the_logger_of_hooks_and_of_the_application(server, receiver):
    server.start(
        conf="""
def when_ready(server):
    server.log.info("", extra={"metric": "mine.gauge", "value": 7, "mtype": "gauge"})

def post_worker_init(worker):
    worker.log.debug("not shown", extra={"metric": "mine.count", "value": 2, "mtype": "counter"})
    worker.log.info("shown", extra={"metric": "mine.time", "value": 1.5, "mtype": "timer"})
    worker.log.info("shown too", extra={"metric": "mine.size", "value": 3, "mtype": "histogram"})
    worker.log.error("an error")
""",
        args=["--statsd-host", receiver.host],
    )
    for text in ("mine.gauge:7|g", "mine.count:2|c|@1.0", "mine.time:1.5|ms", "mine.size:3|h", "gunicorn.log.error:1|c|@1.0"):
        receiver.wait(re.escape(text))
    server.wait_log(r"\[INFO\] shown too$")
    assert not server.log_contains("not shown") and receiver.count(r"gunicorn\.log\.error:.*") == 1


def test_the_length_of_the_accept_queue(server, receiver):
    server.start(args=["--statsd-host", receiver.host, "--enable-backlog-metric"])
    receiver.wait(r"gunicorn\.backlog:\d+\|h")


def test_with_a_python_logger_each_metric_is_sent_once(server, receiver):
    server.start(
        conf="""
from gunicorn.instrument.statsd import Statsd

class Mine(Statsd):
    def info(self, msg, *args, **kwargs):
        super().info(msg, *args, **kwargs)
        self.increment("mine.infos", 1)

logger_class = Mine
accesslog = "-"
""",
        args=["--statsd-host", receiver.host],
    )
    server.get("/")
    assert server.get("/raise").code == 500
    receiver.wait(r"gunicorn\.request\.status\.500:1\|c\|@1\.0")
    receiver.wait(r"gunicorn\.log\.exception:1\|c\|@1\.0")
    receiver.wait(r"mine\.infos:1\|c\|@1\.0")
    assert receiver.count(r"gunicorn\.requests:.*") == 2 and receiver.count(r"gunicorn\.log\.exception:.*") == 1
    wait_until(lambda: '"GET / HTTP/1.1" 200' in server.out_path.read_text())


def test_the_real_class_for_statsd(server, receiver, packages):
    server.start(
        conf="from gunicorn.instrument.statsd import Statsd\nclass Mine(Statsd):\n    pass\nlogger_class = Mine\n",
        args=["--statsd-host", receiver.host],
        env={"VIRTUAL_ENV": packages},
    )
    server.get("/")
    receiver.wait(r"gunicorn\.requests:1\|c\|@1\.0")
    receiver.wait(r"gunicorn\.request\.status\.200:1\|c\|@1\.0")
    assert receiver.count(r"gunicorn\.requests:.*") == 1


def test_a_host_that_is_gone_costs_nothing_but_a_warning(server):
    server.start(args=["--statsd-host", "no-such-host.invalid:8125"])
    server.wait_log(r"\[WARNING\] No metrics are sent: statsd_host no-such-host\.invalid")
    assert server.get("/").code == 200


def test_a_port_that_is_none_ends_the_start(server):
    result = server.run(["-b", "127.0.0.1:0", "--statsd-host", "h:none", "basic:app"])
    assert result.returncode == 1
    assert "statsd_host" in result.stderr and "'none' is not a valid port number" in result.stderr
