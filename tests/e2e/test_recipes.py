# SPDX-License-Identifier: MIT
"""Recipes that people copy into their configuration files, with the real packages."""

import contextlib
import http.server
import os
import re
import signal
import textwrap
import threading
import urllib.request

import pytest
from load import Load
from rawclient import wait_until
from server import SLOW, title

# prometheus_client, several processes

PROMETHEUS_APP = """
    import os
    from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Gauge, generate_latest, multiprocess

    HITS = Counter("hits", "requests of /hit")
    BUSY = Gauge("busy", "of living workers only", multiprocess_mode="livesum")

    def app(environ, start_response):
        if environ["PATH_INFO"] == "/metrics":
            registry = CollectorRegistry()
            multiprocess.MultiProcessCollector(registry)
            body = generate_latest(registry)
        else:
            BUSY.set(1)
            HITS.inc()
            body = str(os.getpid()).encode()
        start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
        return [body]
"""
PROMETHEUS_CONF = """
    import os
    from prometheus_client import multiprocess

    def on_starting(server):
        for name in os.listdir(os.environ["PROMETHEUS_MULTIPROC_DIR"]):
            os.unlink(os.path.join(os.environ["PROMETHEUS_MULTIPROC_DIR"], name))

    def child_exit(server, worker):
        multiprocess.mark_process_dead(worker.pid)
"""


class Prometheus:
    def __init__(self, server, packages, **arguments):
        self.server = server
        self.folder = server.folder / "metrics"
        self.folder.mkdir()
        (self.folder / "gauge_livesum_1.db").touch()  # of an earlier run
        self.sent = 0
        server.write("metrics_app.py", PROMETHEUS_APP)
        env = {"VIRTUAL_ENV": packages, "PROMETHEUS_MULTIPROC_DIR": self.folder}
        server.start("metrics_app:app", conf=PROMETHEUS_CONF, env=env, **arguments)

    def hit_all_workers(self):
        wanted = set(self.server.workers())

        def hit():
            wanted.discard(int(self.server.get("/hit").text))
            self.sent += 1
            return not wanted

        wait_until(hit, 20 * SLOW, what="an answer of every worker")

    def metric(self, name):
        return float(re.search(rf"^{name} (\S+)$", self.server.get("/metrics").text, re.MULTILINE).group(1))

    def check(self, workers):
        """Nothing is lost, and nobody counts as living who is not."""
        wait_until(lambda: self.gauges() <= set(self.server.workers()), 15 * SLOW, what=f"files of dead workers: {self.gauges()}")
        self.hit_all_workers()
        assert self.metric("hits_total") == self.sent
        assert self.metric("busy") == workers

    def gauges(self):
        return {int(path.stem.rpartition("_")[2]) for path in self.folder.glob("gauge_live*_*.db")}


def test_prometheus_adds_up_over_killed_and_reloaded_workers(server, packages):
    site = Prometheus(server, packages, workers=2)
    site.check(2)
    killed = server.workers()[0]
    os.kill(killed, signal.SIGKILL)
    server.wait_status(lambda status: killed not in [row["pid"] for row in status["workers"]])
    server.wait_workers(2)
    site.check(2)
    generation = server.status()["server"]["generation"]
    server.signal("HUP")
    server.wait_status(lambda status: status["server"]["generation"] > generation)
    server.wait_workers(2)
    site.check(2)


def test_prometheus_adds_up_over_recycled_workers(server, packages):
    site = Prometheus(server, packages, workers=1, args=["--max-requests", "20"])
    first = server.workers()
    for _ in range(25):
        server.get("/hit")
        site.sent += 1
    wait_until(lambda: len(server.workers()) == 1 and server.workers() != first, 20 * SLOW)
    site.check(1)


METRICS_SERVER_CONF = """
    import os
    from prometheus_client import Gauge, start_http_server

    def when_ready(server):
        Gauge("who", "the process that answers").set(os.getpid())
        metrics, thread = start_http_server(0, addr="127.0.0.1")
        with open("metrics_port.new", "w") as file:
            file.write(str(metrics.server_port))
        os.rename("metrics_port.new", "metrics_port")
"""


def test_a_metrics_server_of_when_ready_runs_in_the_template(server, packages):
    server.start(conf=METRICS_SERVER_CONF, env={"VIRTUAL_ENV": packages})
    port = wait_until(lambda: (server.folder / "metrics_port").exists() and server.read("metrics_port"), 15 * SLOW)

    def ask():
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=15 * SLOW) as answer:
            return re.search(r"^who (\S+)$", answer.read().decode(), re.MULTILINE).group(1)

    who = ask()
    assert int(float(who)) == server.template()
    # That template has nothing else to do after a reload, but its thread lives on, as it would in gunicorn's master.
    second = reload(server, 2) - {int(float(who))}
    assert len(second) == 1
    third = reload(server, 3)
    wait_until(lambda: not second & set(server.children()), 15 * SLOW, what="the template of the second generation leaves")
    assert int(float(who)) in third
    assert ask() == who


def reload(server, generation):
    """Pids of the templates when only the new generation serves."""
    server.signal("HUP")
    server.wait_status(lambda status: status["server"]["generation"] == generation)
    server.wait_workers(1)
    return {pid for pid in server.children() if "template" in title(pid)}


# OpenTelemetry

TELEMETRY_CONF = """
    from opentelemetry import trace
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    def post_fork(server, worker):
        server.log.info("Worker spawned (pid: %s)", worker.pid)
        provider = TracerProvider(resource=Resource.create({"service.name": "shop"}))
        provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=COLLECTOR), schedule_delay_millis=DELAY_MS))
        trace.set_tracer_provider(provider)
"""
TELEMETRY_APP = """
    import os
    from opentelemetry import trace

    def app(environ, start_response):
        with trace.get_tracer("shop").start_as_current_span(f"span of {os.getpid()} {environ['PATH_INFO']}."):
            start_response("200 OK", [("Content-Length", "0")])
            return []
"""


@pytest.fixture
def collector():
    """Takes spans over OTLP/HTTP; the list of bodies. Named before the server in a test, so that it outlives it."""
    taken = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()
            taken.append(body)

        def log_message(self, *args):
            """Not on the test's output."""

    stub = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=stub.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield f"http://127.0.0.1:{stub.server_port}/v1/traces", taken
    stub.shutdown()
    thread.join()
    stub.server_close()


def has_spans(taken, pids, path):
    whole = b"".join(taken)
    return b"shop" in whole and all(f"span of {pid} {path}.".encode() in whole for pid in pids)


@pytest.mark.parametrize("preload", [False, True], ids=["", "preload"])
def test_opentelemetry_exports_spans_of_every_worker(collector, server, packages, preload):
    endpoint, taken = collector
    conf = f"COLLECTOR, DELAY_MS = {endpoint!r}, 50\npreload_app = {preload}\n" + textwrap.dedent(TELEMETRY_CONF)
    server.write("shop.py", TELEMETRY_APP)
    server.start("shop:app", workers=2, conf=conf, env={"VIRTUAL_ENV": packages})
    workers = server.workers()

    def exported():
        server.get("/buy")
        return has_spans(taken, workers, "/buy")

    wait_until(exported, 20 * SLOW)


def test_opentelemetry_exports_the_last_spans_when_the_worker_leaves(collector, server, packages):
    endpoint, taken = collector
    server.write("shop.py", TELEMETRY_APP)
    conf = f"COLLECTOR, DELAY_MS = {endpoint!r}, 3600000\n" + textwrap.dedent(TELEMETRY_CONF)
    server.start("shop:app", workers=1, conf=conf, env={"VIRTUAL_ENV": packages})
    workers = server.workers()
    assert server.get("/last").code == 200
    assert not taken
    server.stop()
    assert has_spans(taken, workers, "/last")


# stacks of all threads

STACKS_CONF = """
    import sys, threading, traceback

    def print_stacks(worker, why):
        names = {thread.ident: thread.name for thread in threading.enumerate()}
        lines = [why]
        for ident, frame in sys._current_frames().items():
            lines.append(f"thread {names.get(ident)}")
            lines += [line.rstrip() for line in traceback.format_stack(frame)]
        worker.log.critical("%s", "\\n".join(lines))

    def worker_abort(worker):
        print_stacks(worker, "worker_abort")

    def worker_int(worker):
        print_stacks(worker, "worker_int")
"""
STACKS_APP = """
    import threading, time

    def in_the_background():
        threading.Event().wait()

    threading.Thread(target=in_the_background, name="helper", daemon=True).start()

    def deep_in_the_request():
        open("stuck", "w").close()
        while True:
            time.sleep(0.01)

    def app(environ, start_response):
        if environ["PATH_INFO"] == "/stick":
            deep_in_the_request()
        start_response("200 OK", [("Content-Length", "0")])
        return []
"""


@pytest.mark.quick
def test_stacks_are_printed_when_a_worker_is_aborted(server):
    server.write("sticky.py", STACKS_APP)
    server.start("sticky:app", workers=1, conf=STACKS_CONF, args=["--timeout", "1"])
    with server.raw() as client:
        client.send_request(target="/stick")
        server.wait_log(r"\[CRITICAL\] worker_abort\n(.*\n)*thread MainThread\n(.*\n)*.*in deep_in_the_request")
        server.wait_log(r"\[CRITICAL\] worker_abort\n(.*\n)*thread helper\n(.*\n)*.*in in_the_background")
    server.wait_workers(1)


def test_stacks_are_printed_when_a_worker_is_interrupted(server):
    server.write("sticky.py", STACKS_APP)
    server.start("sticky:app", workers=1, conf=STACKS_CONF)
    (worker,) = server.workers()
    with server.raw() as client:
        client.send_request(target="/stick")
        wait_until(lambda: (server.folder / "stuck").exists(), 15 * SLOW)
        server.signal("INT", worker)
        server.wait_log(r"\[CRITICAL\] worker_int\n(.*\n)*.*in deep_in_the_request")
    wait_until(lambda: server.workers() not in ([], [worker]), 15 * SLOW)


# the rest


@pytest.mark.parametrize("hook", ["when_ready(server)", "pre_fork(server, worker)"])
def test_gc_freeze_before_the_fork(server, hook):
    server.write(
        "frozen.py",
        """
        import gc

        DATA = [[number] for number in range(1000)]

        def app(environ, start_response):
            seen = {id(item) for item in gc.get_objects()}
            body = f"{gc.isenabled()} {sum(id(item) in seen for item in DATA)} {gc.get_freeze_count() > 1000}".encode()
            start_response("200 OK", [("Content-Length", str(len(body)))])
            return [body]
        """,
    )
    conf = f"""
        import gc
        preload_app = True
        gc.disable()

        def {hook}:
            gc.freeze()

        def post_fork(server, worker):
            gc.enable()
    """
    server.start("frozen:app", workers=2, conf=conf)
    assert server.get().text == "True 0 True"


def test_a_wait_callback_set_in_post_fork_is_there_in_requests(server):
    """What psycogreen does with psycopg2.extensions.set_wait_callback()."""
    server.write("driver.py", "import os\ncallbacks = {}\ndef set_wait_callback(function):\n    callbacks[os.getpid()] = function\n")
    server.write(
        "green.py",
        """
        import os, driver

        def app(environ, start_response):
            body = str(driver.callbacks[os.getpid()]() if len(driver.callbacks) == 1 else driver.callbacks).encode()
            start_response("200 OK", [("Content-Length", str(len(body)))])
            return [body]
        """,
    )
    conf = """
        def post_fork(server, worker):
            import driver
            driver.set_wait_callback(lambda: f"waits in {worker.pid}")
            worker.log.info("Made green")
    """
    server.start("green:app", workers=2, conf=conf, args=["--preload"])
    assert server.get().text in [f"waits in {pid}" for pid in server.workers()]
    server.wait_log(r"\[INFO\] Made green")


def test_a_watchdog_of_memory_replaces_the_worker_between_requests(server):
    conf = """
        import os

        LIMIT_BYTES = 30 << 20
        BEGIN = {}

        def rss():
            with open("/proc/self/statm") as file:
                return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

        def post_worker_init(worker):
            BEGIN[worker.pid] = rss()

        def post_request(worker, req, environ, resp):
            grown = rss() - BEGIN[worker.pid]
            if grown > LIMIT_BYTES:
                worker.log.warning("grown by %d MB", grown >> 20)
                worker.alive = False
    """
    server.write(
        "leaky.py",
        """
        import os
        kept = []

        def app(environ, start_response):
            kept.append(b"x" * (1 << 20))
            start_response("200 OK", [("Content-Length", str(len(str(os.getpid()))))])
            return [str(os.getpid()).encode()]
        """,
    )
    server.start("leaky:app", workers=1, conf=conf)
    with Load(server.address, clients=2) as load:
        pids = set()

        def third():
            pids.update(server.workers())
            return len(pids) >= 3

        wait_until(third, 30 * SLOW)
        load.stop()
    load.check(at_least=60)
    server.wait_log("grown by 3[0-9] MB")


def test_the_mark_of_a_buildpack_is_touched_when_the_server_is_ready(server):
    mark = server.folder / "app-initialized"
    conf = f"""
        def when_ready(server):
            open({str(mark)!r}, "w").close()
    """
    server.start(conf=conf)
    wait_until(mark.exists, 15 * SLOW)
    with contextlib.suppress(FileNotFoundError):
        mark.unlink()
    server.signal("HUP")
    server.wait_status(lambda status: status["server"]["generation"] == 2)
    server.wait_workers(1)
    assert not mark.exists(), "when_ready is for the start only, as in gunicorn"
