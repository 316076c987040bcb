#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Counts failed requests while workers are recycled and the server is reloaded each second.

    bench/life.py BUILD [--requests N] [--class NAME] [--threads N] [--max-requests N] [--kinds tcp,unix,...]

BUILD is a build folder with gunwale and bench/load. Prints a Markdown table.
"""

import argparse
import json
import os
import pathlib
import re
import signal
import subprocess
import tempfile
import threading
import time

APP = """
def app(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "5")])
    return [b"hello"]
"""
KINDS = {
    # name: (arguments of gunwale, arguments of load, whether over a unix socket)
    "tcp": ([], [], False),
    "tcp, close": ([], ["-x"], False),
    "unix": ([], [], True),
    "unix, close": ([], ["-x"], True),
    "tls": (["--certfile", "cert.pem", "--keyfile", "key.pem"], ["-s"], False),
    "tls, close": (["--certfile", "cert.pem", "--keyfile", "key.pem"], ["-s", "-x"], False),
    "proxy v1": (["--proxy-protocol", "v1"], ["-P", "1"], False),
    "proxy v2": (["--proxy-protocol", "v2"], ["-P", "2"], False),
    "proxy v2, close": (["--proxy-protocol", "v2"], ["-P", "2", "-x"], False),
}


def make_certificate(folder):
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
         "-subj", "/CN=localhost", "-keyout", "key.pem", "-out", "cert.pem"],
        cwd=folder, check=True, capture_output=True,
    )


def wait_for(log, pattern, process):
    until = time.monotonic() + 30
    while time.monotonic() < until and process.poll() is None:
        found = re.search(pattern, log.read_text())
        if found:
            return found
        time.sleep(0.05)
    raise SystemExit(f"not in the log: {pattern}\n{log.read_text()}")


def measure(kind, arguments, folder):
    ours, theirs, is_unix = KINDS[kind]
    log = folder / "log"
    log.write_text("")
    bind = "unix:socket" if is_unix else "127.0.0.1:0"
    command = [arguments.build / "gunwale", "-w", "2", "-k", arguments.worker_class, "--threads", str(arguments.threads),
               "--max-requests", str(arguments.max_requests), "--max-requests-jitter", str(arguments.max_requests // 10),
               "--error-logfile", "log", "-b", bind, *ours, "app:app"]
    server = subprocess.Popen(command, cwd=folder)
    address = wait_for(log, r"Listening at: (?:https?://)?(\S+)", server).group(1)
    wait_for(log, "Booting worker", server)
    over = threading.Event()

    def reload():
        while not over.wait(1):
            server.send_signal(signal.SIGHUP)

    threading.Thread(target=reload, daemon=True).start()
    result = subprocess.run(
        [arguments.build / "bench/load", "-n", str(arguments.requests), "-e", "hello", *theirs, address],
        cwd=folder, stdout=subprocess.PIPE, check=True,
    )
    over.set()
    server.send_signal(signal.SIGTERM)
    server.wait(60)
    text = log.read_text()
    return json.loads(result.stdout), len(re.findall("Booting worker", text)), len(re.findall("Handling signal: hup", text))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("build", type=pathlib.Path)
    parser.add_argument("--requests", type=int, default=100000)
    parser.add_argument("--class", dest="worker_class", default="sync")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--max-requests", type=int, default=500)
    parser.add_argument("--kinds", default=";".join(KINDS), help="separated by semicolons")
    arguments = parser.parse_args()
    arguments.build = arguments.build.resolve()
    print("| kind | requests | failed | of these races | requests/s | p99 ms | workers started | reloads |")
    print("|---|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        os.chmod(folder, 0o755)
        (folder / "app.py").write_text(APP)
        make_certificate(folder)
        for kind in arguments.kinds.split(";"):
            figures, workers, reloads = measure(kind, arguments, folder)
            print(f"| {kind} | {figures['requests']:,} | {figures['failed']} | {figures['race']} | {figures['rps']:,} | "
                  f"{figures['p99_ms']} | {workers} | {reloads} |", flush=True)


if __name__ == "__main__":
    main()
