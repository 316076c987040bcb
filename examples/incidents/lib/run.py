# SPDX-License-Identifier: MIT
"""
Runs one incident: the server inside of a memory cgroup; upstream, load and observer outside. Prints the verdict.

Called by run.sh, which has installed everything and removes the cgroup should this be killed. Ends with 0 when the run
could be done, whatever the verdict; 77 when no memory cgroup can be made.
"""

import argparse
import asyncio
import contextlib
import json
import os
import pathlib
import re
import resource
import shutil
import signal
import subprocess
import sys
import time

import catalogue
from client import Connection, split
from container import Container, Unavailable
from outside import Observer, run_load, start_upstream

MB = 1 << 20


def parse_size(text):
    match = re.fullmatch(r"(\d+)([KMG]?)", text.upper())
    if not match:
        raise argparse.ArgumentTypeError(f"'{text}' is no size: 256M")
    return int(match.group(1)) << {"": 0, "K": 10, "M": 20, "G": 30}[match.group(2)]


def megabytes(size):
    return "unknown" if size is None else f"{size / MB:.0f} MB"


def raise_file_limit():
    """As in a container: what is run here must not fail for want of descriptors."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


class Run:
    def __init__(self, arguments, container, folder):
        self.arguments = arguments
        self.container = container
        self.folder = folder
        self.incident = arguments.incident
        self.log_path = folder / "log"
        self.status_path = folder / "status.json"
        self.processes = []

    # processes

    def environment(self, **more):
        cleared = ("GUNICORN_CMD_ARGS", "GUNWALE_CMD_ARGS", "PYTHONPATH", "PORT", "WEB_CONCURRENCY")
        result = {name: value for name, value in os.environ.items() if name not in cleared}
        result.update(
            VIRTUAL_ENV=str(self.arguments.venv),
            PYTHONDONTWRITEBYTECODE="1",
            HOME=str(self.folder),  # gunicorn puts its control socket there
            TMPDIR=str(self.folder),
            DATA=str(self.folder.parent),
            **more,
        )
        return result

    def start_upstream(self):
        process, address = start_upstream(self.incident)
        self.processes += [process] if process else []
        return address

    def server_command(self):
        options = catalogue.server_options(self.incident) + ["--bind", "127.0.0.1:0", "--chdir", str(self.incident)]
        if self.arguments.server == "gunicorn":
            program = [self.arguments.venv / "bin" / "gunicorn"]
        else:
            program = [self.arguments.program]
            options += ["--status-file", str(self.status_path), "--status-interval", "1"]
        return [*program, *options, *self.arguments.options, "app:app"]

    def start_server(self, upstream):
        more = dict(catalogue.ENVIRONMENT.get(self.incident.name, {}))
        if upstream:
            more["UPSTREAM"] = upstream
        with open(self.log_path, "wb") as log:
            command = self.container.command(list(map(str, self.server_command())))
            server = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=self.environment(**more), start_new_session=True
            )
        self.processes.append(server)
        end = time.monotonic() + 30
        while time.monotonic() < end and server.poll() is None:
            match = re.search(r"Listening at: (http://\S+?)[ ,]", self.log())
            if match and self.answers(match.group(1)):
                return server, match.group(1)
            time.sleep(0.05)
        raise SystemExit(f"error: the server did not start\n{self.log()}")

    def log(self):
        return self.log_path.read_text(errors="replace")

    @staticmethod
    def answers(url, timeout=10.0):
        """Whether /ping is answered now."""
        async def ask():
            return await asyncio.wait_for(Connection(split(url)).get("/ping"), timeout)

        with contextlib.suppress(Exception):
            return asyncio.run(ask()) == 200
        return False

    def end_all(self):
        """Children of the server that outlive it are in the container, which is emptied after this."""
        for process in reversed(self.processes):
            process.terminate()
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    # the whole

    def perform(self):
        prepare = self.incident / "prepare.py"
        if prepare.exists():
            subprocess.run([sys.executable, str(prepare), str(self.folder.parent)], check=True)
        upstream = self.start_upstream()
        server, url = self.start_server(upstream)
        boots = self.boots()
        observer = Observer(self.container)
        observer.start()
        load = run_load(self.incident, url, upstream, self.arguments.seconds)
        observer.stop()
        is_alive = server.poll() is None and self.answers(url)
        kills = self.container.oom_kills()
        status = self.status()
        total = observer.highest.get("total_bytes", 0)
        sockets_apart = self.container.version == "v1"
        return {
            "incident": self.incident.name,
            "server": self.arguments.server,
            "command": list(map(str, self.server_command())),
            "seconds": self.arguments.seconds,
            "cgroup": self.container.version,
            "limit_bytes": self.container.limit_bytes,
            "oom_kills": kills,
            "is_alive": is_alive,
            "peak_container_bytes": self.container.peak_bytes() or observer.highest.get("usage_bytes"),
            "peak_used_bytes": observer.highest.get("used_bytes"),
            "peak_socket_bytes": observer.highest.get("socket_bytes"),
            "peak_with_sockets_bytes": total,
            "are_sockets_charged": not sockets_apart,
            "would_v2_be_full": total > self.container.limit_bytes if sockets_apart else None,
            "worker_replacements": self.boots() - boots,
            "recycles": status.get("recycles"),
            "exits_total": status.get("exits_total"),
            "load": load,
            "series": observer.series,
            "verdict": "survived" if kills == 0 and is_alive else "killed",
        }

    def boots(self):
        return len(re.findall(r"Booting worker with pid", self.log()))

    def status(self):
        with contextlib.suppress(OSError, ValueError):
            return json.loads(self.status_path.read_text())
        return {}


def failures(group):
    words = [f"{name} {count}" for name, count in group["failed"].items() if count]
    return f"{group['failed_total']} of {group['requests']}" + (f" ({', '.join(words)})" if words else "")


def milliseconds(latency):
    return "none" if not latency["count"] else f"{latency['p50_ms']:.1f} / {latency['p99_ms']:.1f} ms"


def socket_sentence(verdict):
    text = megabytes(verdict["peak_socket_bytes"])
    if verdict["are_sockets_charged"]:
        return text + ", in the container's figure"
    text += f" in the kernel, which cgroup v1 does not count; with them {megabytes(verdict['peak_with_sockets_bytes'])}"
    if verdict["would_v2_be_full"] and not verdict["oom_kills"]:
        text += ": a container of cgroup v2 would be full, and its OOM killer come"
    return text


def describe(verdict):
    load = verdict["load"]
    peak, used = megabytes(verdict["peak_container_bytes"]), megabytes(verdict["peak_used_bytes"])
    before, during = milliseconds(load["latency_before"]), milliseconds(load["latency_during"])
    end = "answers" if verdict["is_alive"] else "DOES NOT ANSWER"
    rows = [
        ("incident", verdict["incident"]),
        ("server", " ".join(word.rpartition("/")[2] if word.startswith("/") else word for word in verdict["command"])),
        ("container", f"{megabytes(verdict['limit_bytes'])}, cgroup {verdict['cgroup']}"),
        ("OOM kills", verdict["oom_kills"]),
        ("failed requests", f"bystanders {failures(load['innocents'])}; others {failures(load['offenders'])}"),
        ("aborted, shed", f"{load['aborted']} requests answered with 500, {load['shed']} connections closed by the server"),
        ("peak memory", f"{peak}, {used} without idle page cache"),
        ("peak of sockets", socket_sentence(verdict)),
        ("workers", f"{verdict['worker_replacements']} replaced; the server {end}"),
        ("/ping p50 / p99", f"before {before}, during {during}"),
    ]
    rows += [(name.replace("_", " "), value) for name, value in load["notes"].items()]
    return "\n".join(f"{name:16} {value}" for name, value in rows) + f"\nverdict: {verdict['verdict']}"


def parse_arguments():
    top = pathlib.Path(__file__).resolve().parents[3]
    parser = argparse.ArgumentParser(
        prog="run.sh",
        description="Runs an incident in a small container and prints a verdict.",
        epilog="Options behind -- are given to the server.",
    )
    parser.add_argument("incident", metavar="NAME", help="number or name: " + ", ".join(catalogue.OPTIONS))
    parser.add_argument("--server", choices=("gunwale", "gunicorn"), default="gunwale")
    parser.add_argument("--memory", type=parse_size, default=256 * MB, metavar="SIZE", help="limit of the container (256M)")
    parser.add_argument("--seconds", type=float, default=25, help="how long the load lasts (25)")
    parser.add_argument("--json", type=pathlib.Path, metavar="FILE", help="write the verdict there, with all readings")
    parser.add_argument("--venv", type=pathlib.Path, default=top / "build" / "incidents", help=argparse.SUPPRESS)
    parser.add_argument("--program", type=pathlib.Path, default=top / "build" / "example" / "gunwale", help=argparse.SUPPRESS)
    parser.add_argument("--cgroup", default=f"gunwale-incident-{os.getpid()}", help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=pathlib.Path, default=top / "build" / "incident-runs", help=argparse.SUPPRESS)
    own, options = sys.argv[1:], []
    if "--" in own:
        own, options = own[: own.index("--")], own[own.index("--") + 1 :]
    arguments = parser.parse_args(own)
    arguments.options = options
    name = arguments.incident
    arguments.incident = catalogue.find(name)
    if arguments.incident is None:
        parser.error(f"there is no incident '{name}'; they are {', '.join(catalogue.OPTIONS)}")
    return arguments


def main():
    arguments = parse_arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    folder = arguments.folder / f"{arguments.incident.name}-{arguments.server}"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    raise_file_limit()
    try:
        container = Container(arguments.cgroup, arguments.memory)
    except Unavailable as why:
        print(f"SKIP: NO MEMORY CGROUP HERE, SO NOTHING WAS RUN: {why}", file=sys.stderr)
        return 77
    run = Run(arguments, container, folder)
    try:
        verdict = run.perform()
    finally:
        run.end_all()
        container.close()
    if arguments.json:
        arguments.json.parent.mkdir(parents=True, exist_ok=True)
        arguments.json.write_text(json.dumps(verdict, indent=1) + "\n")
    print(describe(verdict))
    print(f"(log and status file: {folder})")
    return 0


if __name__ == "__main__":
    sys.exit(main())
