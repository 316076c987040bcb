# SPDX-License-Identifier: MIT
"""What bench/run asks the servers, and how much of it by default."""

import dataclasses

HELLO = len("Hello, world\n")
# As a browser sends them: 15, with a cookie of 1 KB.
BROWSER = {
    "User-Agent": "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
    "Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
    "Accept-Language": "de,en-US;q=0.7,en;q=0.3",
    "Accept-Encoding": "gzip, deflate, br, zstd",
    "Referer": "http://localhost/articles?page=3&sort=price",
    "DNT": "1",
    "Sec-GPC": "1",
    "Upgrade-Insecure-Requests": "1",
    "Sec-Fetch-Dest": "document",
    "Sec-Fetch-Mode": "navigate",
    "Sec-Fetch-Site": "same-origin",
    "Sec-Fetch-User": "?1",
    "Priority": "u=0, i",
    "Cookie": "session=" + "c0ffee42" * 126 + "; theme=light",
}  # and Host, which the client adds
CLOSE = {"Connection": "close"}


@dataclasses.dataclass
class Workload:
    name: str
    title: str
    app: str
    path: str = "/"
    length: tuple[int, int] = (HELLO, HELLO)  # of the right answer
    headers: dict = dataclasses.field(default_factory=dict)
    body: int = 0
    connections: tuple[int, ...] = (64,)  # by default, with one worker
    more_workers: bool = False  # by default also with 2 and 4
    only: str = ""  # "overlaps": servers that do; "": all with Python; "all": nginx, too

    @property
    def closes(self):
        return "Connection" in self.headers

    def suits(self, server, workers):
        return (server.has_python or self.only == "all") and (server.overlaps or self.only != "overlaps") \
            and workers <= server.most_workers


WORKLOADS = {workload.name: workload for workload in (
    Workload("hello", "Raw WSGI hello", "raw:hello", connections=(1, 16, 64, 256, 1024), more_workers=True, only="all"),
    Workload("hello-close", "Raw WSGI hello, a connection each", "raw:hello", headers=CLOSE, only="all"),
    Workload("hello-browser", "Raw WSGI hello, browser's headers", "raw:hello", headers=BROWSER, only="all"),
    Workload("flask", "Flask hello", "web:app", connections=(1, 16, 64, 256, 1024), more_workers=True),
    Workload("flask-close", "Flask hello, a connection each", "web:app", headers=CLOSE),
    Workload("json", "Flask JSON 2 KB", "web:app", "/json", (1800, 2400)),
    Workload("body", "100 KB body", "raw:body", length=(102400, 102400), connections=(16,)),
    Workload("echo", "POST echo 10 KB", "raw:echo", length=(10240, 10240), body=10240),
    Workload("stream", "Streaming 100 × 1 KB", "raw:stream", length=(102400, 102400), connections=(16,)),
    Workload("file", "File of 10 MB by file_wrapper", "raw:file", length=(10 << 20, 10 << 20), connections=(4,)),
    Workload("sleep", "App sleeps 20 ms", "raw:sleep", only="overlaps"),
)}
STAMP = Workload("stamp", "Start and restart", "raw:stamp", length=(1, 1000))
QUICK = ("hello", "flask", "body", "stream")
QUICK_WITHOUT = ("uwsgi", "uwsgi-threads", "bjoern-gc", "mod_wsgi", "cheroot")


@dataclasses.dataclass
class Step:
    """Within a round: each of the servers in turn, under each number of connections."""

    workload: Workload
    workers: int
    connections: tuple[int, ...]


def steps(names, workers, connections):
    """The wanted ones; what is None is chosen here."""
    plan = []
    for name in names:
        workload = WORKLOADS[name]
        for count in workers or ((1, 2, 4) if workload.more_workers else (1,)):
            plan.append(Step(workload, count, connections or (workload.connections if count == 1 else (64,))))
    return plan
