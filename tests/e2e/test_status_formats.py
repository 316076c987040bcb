# SPDX-License-Identifier: MIT
"""The status document is what its schema says, and other tools understand its other shapes."""

import contextlib
import json
import os
import subprocess

import pytest
from control import Terminal
from load import Load
from rawclient import RawClient, wait_until
from server import HERE, SLOW
from test_webstatus import get, reload, web_of

SCHEMA = HERE.parent.parent / "docs" / "status.schema.json"

VALIDATE = """
import json, sys
import jsonschema
schema = json.load(open(sys.argv[1]))
jsonschema.Draft202012Validator.check_schema(schema)
validator = jsonschema.Draft202012Validator(schema)
for line in sys.stdin:
    name, document = json.loads(line)
    for error in validator.iter_errors(document):
        print(name, "/".join(map(str, error.absolute_path)), error.message[:300])
"""

PARSE = """
import json, sys
from prometheus_client.parser import text_string_to_metric_families
found = {}
for family in text_string_to_metric_families(sys.stdin.read()):
    assert family.name not in found, family.name
    assert family.documentation and family.type != "unknown", family.name
    found[family.name] = [family.type, [[sample.name, sample.labels, sample.value] for sample in family.samples]]
print(json.dumps(found))
"""


def run_python(packages, script, *arguments, text):
    done = subprocess.run(
        [os.path.join(packages, "bin", "python"), "-c", script, *map(str, arguments)],
        input=text,
        capture_output=True,
        text=True,
        timeout=60 * SLOW,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def validate(packages, documents):
    lines = "".join(json.dumps([name, document]) + "\n" for name, document in documents)
    found = run_python(packages, VALIDATE, SCHEMA, text=lines)
    assert not found, found


def parse(packages, text):
    """{family: (type, [(sample, labels, value)])} by the official parser."""
    return json.loads(run_python(packages, PARSE, text=text))


@pytest.fixture
def start(server):
    def run(app="basic:app", args=(), **more):
        server.start(app, args=["--status-bind", "127.0.0.1:0", *args], **more)
        server.web = web_of(server)
        return server

    return run


def test_the_schema_fits_from_the_start_to_the_end(start, server, packages):
    documents = []

    def take(name):
        documents.append((name, get(server).json()))
        documents.append((name + " file", server.try_status() or documents[-1][1]))

    server.write(
        "slow.py",
        """
        import os, time
        while not os.path.exists("go"):
            time.sleep(0.01)
        from basic import app
        """,
    )
    server.write("gunicorn.conf.py", "")
    unix = f"unix:{server.folder}/sock"
    start("slow:app", conf="workers = 2\n", args=["-b", unix, "--pythonpath", server.folder], ready=False)
    take("loading")
    (server.folder / "go").touch()
    server.wait_ready()
    take("idle")
    for target in ("/", "/nowhere", "/raise"):
        server.get(target)
    with server.raw() as client:
        client.send_request("GET", f"/wait?until={server.folder}/done&x={'y' * 300}")
        server.wait_status(lambda status: status["requests"]["active"])
        take("busy")
        server.signal("KILL", server.workers()[0])
        server.wait_status(lambda status: status["exits"])
        take("killed")
        (server.folder / "done").touch()
    server.wait_workers(2)
    reload(server, "workers = 'many'\n")
    take("failed reload")
    reload(server, "workers = 1\n")
    take("reloaded")
    server.wait_workers(1)
    assert get(server).json()["requests"]["latency_seconds"]["p50"] > 0
    with server.raw() as client:
        client.send_request("GET", f"/wait?until={server.folder}/last")
        server.wait_status(lambda status: status["requests"]["active"])
        server.signal("TERM")
        server.wait_status(lambda status: status["server"]["state"] == "stopping")
        take("stopping")
        (server.folder / "last").touch()
        client.read_response()
    server.wait_exit()
    documents.append(("last", server.status()))
    validate(packages, documents)


def test_the_schema_is_no_rubber_stamp(start, server, packages):
    start(workers=1)
    document = get(server).json()
    del document["requests"]["latency_seconds"]["p95"]
    document["workers"][0]["rss_bytes"] = -1
    document["server"]["state"] = "happy"
    found = run_python(packages, VALIDATE, SCHEMA, text=json.dumps(["x", document]))
    for word in ("'p95' is a required property", "-1 is less than the minimum", "'happy' is not one of"):
        assert word in found


@pytest.mark.quick
def test_durations_are_counted_also_those_of_ended_workers(start, server):
    start(workers=1, args=["--max-requests", "20"])
    with Load(server.address, clients=2) as load:
        wait_until(lambda: len(get(server).json()["exits"]) >= 3, 60 * SLOW)
        load.stop()
    load.check()
    server.get("/sleep?seconds=0.3")
    requests = wait_until(lambda: (r := get(server).json()["requests"])["total"] == load.count + 1 and r, 15 * SLOW)
    durations = requests["duration_seconds"]
    assert durations["count"] == requests["total"]
    counts = [bucket["count"] for bucket in durations["buckets"]]
    assert counts == sorted(counts) and counts[-1] == durations["count"]
    limits = [bucket["le"] for bucket in durations["buckets"]]
    assert limits == sorted(limits)
    below = {bucket["le"]: bucket["count"] for bucket in durations["buckets"]}
    assert below[0.262144] < durations["count"]
    assert 0.3 <= durations["sum"] < 60 * SLOW
    latency = requests["latency_seconds"]
    assert 0 < latency["p50"] <= latency["p95"] <= latency["p99"]


def test_prometheus_can_read_it(start, server, packages):
    start(workers=2, args=["--workers", "2"])
    for target in ("/", "/", "/nowhere", "/raise"):
        server.get(target)
    wait_until(lambda: get(server).json()["requests"]["total"] == 4, 15 * SLOW)
    found = parse(packages, get(server, "/metrics").text)
    assert found["gunwale_workers_serving"] == ["gauge", [["gunwale_workers_serving", {}, 2]]]
    kind, samples = found["gunwale_requests"]
    assert kind == "counter" and samples == [["gunwale_requests_total", {}, 4]]
    kind, samples = found["gunwale_worker_requests"]
    assert {labels["slot"] for _, labels, _ in samples} == {"0", "1"} and sum(value for _, _, value in samples) == 4
    kind, samples = found["gunwale_responses"]
    assert {labels["class"]: value for _, labels, value in samples} == {"1xx": 0, "2xx": 2, "3xx": 0, "4xx": 1, "5xx": 1}
    kind, samples = found["gunwale_request_duration_seconds"]
    assert kind == "histogram" and samples[-1] == ["gunwale_request_duration_seconds_count", {}, 4]
    assert [labels["le"] for _, labels, _ in samples if labels][-1] == "+Inf"
    pids = {labels["pid"] for _, labels, _ in found["gunwale_worker_info"][1]}
    assert pids == {str(pid) for pid in server.workers()}
    assert abs(found["gunwale_start_time_seconds"][1][0][2] - os.stat(f"/proc/{server.pid}").st_mtime) < 10 * SLOW
    assert found["gunwale_worker_exits"][0] == "counter"


def test_prometheus_can_read_odd_names(server, packages):
    """Of a socket, for example."""
    name = 'a"b\\c\u00e4{}'
    server.start(workers=1, bind=f"unix:{server.folder}/{name}", args=["--status-bind", "127.0.0.1:0"])
    server.web = web_of(server)
    text = get(server, "/metrics").text
    assert get(server).json()["listeners"][0]["address"].endswith(name)
    assert parse(packages, text)["gunwale_workers_serving"][1][0][2] == 1


def test_the_file_has_the_format_that_was_asked_for(server, packages):
    server.start(workers=1, conf="status_format = 'json'\n")
    path = server.status_path
    for name in ("prometheus", "health", "uwsgi", "puma", "json"):
        server.write("gunicorn.conf.py", f"status_format = '{name}'\n")
        server.signal("HUP")
        mark = {"prometheus": "# HELP gunwale_", "health": '"releaseId"', "uwsgi": '"cores"', "puma": '"booted_workers"'}
        wait_until(lambda name=name, mark=mark: mark.get(name, '"schema"') in path.read_text(), 15 * SLOW)
        if name == "prometheus":
            assert parse(packages, path.read_text())
        else:
            json.loads(path.read_text())
    server.wait_log("Generation 6 serves")


def test_uwsgitop_shows_it(start, server, packages):
    """The real one, in a terminal."""
    program = os.path.join(packages, "bin", "uwsgitop")
    if not os.path.exists(program):
        pytest.skip("no uwsgitop")
    start(workers=2)
    for _ in range(7):
        server.get("/")
    address = f"http://{server.web[0]}:{server.web[1]}/status?format=uwsgi"
    with Terminal([program, "--frequency", "1", address], columns=160, rows=30) as terminal:
        for pid in server.workers():
            terminal.wait_output(str(pid))
        terminal.wait_output("req: 7 ")
        terminal.wait_output("idle")
        terminal.type("a")  # cores, merged
        terminal.wait_output("[12]:0")
        terminal.type("q")
        assert terminal.wait_exit() == 0, terminal.output


def test_a_full_disk_stops_nothing_and_leaves_no_half_document(server, need_root):
    mount = server.folder / "small"
    mount.mkdir()
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", mount], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        pytest.skip(f"no tmpfs can be mounted: {done.stderr.strip()}")
    try:
        server.status_path = mount / "status.json"
        server.start(workers=1)
        (mount / "filler").write_bytes(b"")
        with open(mount / "filler", "wb") as filler, pytest.raises(OSError):
            while True:
                os.write(filler.fileno(), b"x" * 4096)
        server.wait_log("Can't write the status file '.*': No space left on device")
        old = server.status_path.read_text()
        (worker,) = server.workers()
        server.signal("KILL", worker)  # an event, to be written at once
        server.wait_log(rf"Worker \(pid:{worker}\) was sent SIGKILL")
        with Load(server.address, clients=2) as load:
            wait_until(lambda: load.count > 500, 30 * SLOW)
            load.stop()
        load.check()
        assert server.status_path.read_text() == old and json.loads(old)["schema"] == 1
        assert server.log_contains("Can't write the status file", times=1)
        (mount / "filler").unlink()
        server.wait_status(lambda status: status["exits"] and status["exits"][0]["pid"] == worker)
        assert sorted(os.listdir(mount)) == ["status.json"]
        server.stop()
        assert server.status()["server"]["state"] == "stopping"
    finally:
        server.finish()
        subprocess.run(["umount", "-l", mount], check=True)


@pytest.mark.quick
def test_a_scraper_sees_whole_documents_while_everything_changes(start, server):
    start(workers=3, conf="workers = 3\nmax_requests = 10\n")
    count = 0
    with Load(server.address, clients=3) as load:
        for _ in range(3):
            with contextlib.suppress(ProcessLookupError):  # it may have left by itself
                server.signal("KILL", server.workers()[0])
            mark = server.mark()
            server.signal("HUP")

            def has_reloaded(mark=mark):
                nonlocal count
                for target in ("/status", "/metrics", "/status?format=uwsgi"):
                    with RawClient(server.web) as client:
                        response = client.request("GET", target)
                    assert response.code == 200 and response.body.endswith(b"\n")
                    if target != "/metrics":
                        response.json()
                    count += 1
                return server.log_contains("Generation .* serves", since=mark)

            wait_until(has_reloaded, 30 * SLOW)
            server.wait_ready()
        load.stop()
    assert count > 9
