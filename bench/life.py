#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Counts failed requests while workers are recycled and the server is reloaded each second.

    bench/life.py BUILD [--requests N] [--class NAME] [--threads N] [--max-requests N] [--kinds "tcp;tcp, close;..."]

BUILD is a build folder with gunwale and bench/load. Prints a Markdown table.
"""

import argparse
import pathlib
import signal
import threading

import lib


def measure(kind, arguments, folder):
    ours, theirs, is_unix = lib.KINDS[kind]
    limits = ["-k", arguments.worker_class, "--threads", str(arguments.threads), "--max-requests", str(arguments.max_requests),
              "--max-requests-jitter", str(arguments.max_requests // 10)]
    over = threading.Event()
    with lib.Server(arguments.build, folder, [*limits, *ours], workers=2, is_unix=is_unix) as server:

        def reload():
            while not over.wait(1):
                server.process.send_signal(signal.SIGHUP)

        thread = threading.Thread(target=reload)
        thread.start()
        try:
            figures = server.load("-n", arguments.requests, *theirs)
        finally:
            over.set()
            thread.join()
    return figures, server.count("Booting worker"), server.count("Handling signal: hup")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("build", type=pathlib.Path)
    parser.add_argument("--requests", type=int, default=100000)
    parser.add_argument("--class", dest="worker_class", default="sync")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--max-requests", type=int, default=500)
    parser.add_argument("--kinds", default=";".join(lib.KINDS), help="separated by semicolons")
    arguments = parser.parse_args()
    arguments.build = arguments.build.resolve()
    lib.header("kind", "requests", "failed", "of these races", "requests/s", "p99 ms", "workers started", "reloads")
    with lib.scratch() as folder:
        for kind in arguments.kinds.split(";"):
            figures, workers, reloads = measure(kind, arguments, folder)
            lib.row(kind, figures["requests"], figures["failed"], figures["race"], f"{figures['rps']:,}", figures["p99_ms"],
                    workers, reloads)


if __name__ == "__main__":
    main()
