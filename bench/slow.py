#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Compares the answers to one normal client while slow ones are connected with those to it alone.

    bench/slow.py BUILD [--classes sync,gthread,gevent] [--workers 1,2] [--attacks idle,heads,...] [--rounds N] [--seconds N]
                  [--slow N] [--idle N]

BUILD is a build folder with gunwale; VIRTUAL_ENV names where gevent is. The normal client asks --rate times a second on a kept
connection, in quiet and loaded rounds by turns on one running server; each figure is of the answers of all rounds together. The
servers have the first processor; the clients share the second one, where the normal one comes first (SCHED_FIFO), so that what it
notices is the server and not the slow clients' own work. A second normal client asks a server beside it that nobody attacks: what
rises there as well comes from the machine (the kernel's timers of all these connections, say), or from the processor time of the
attacked workers, which has a column of its own. Seconds in which the hypervisor took more than 10 ms from the two processors are
measured again. The attacks:

    idle       kept-alive connections after one request each
    heads      a byte of a head each second
    bodies     a byte of a body each second
    piece      1 kB a second read of an answer of 8 MB in one piece
    generator  ... from a generator
    file       ... from a file
    shakes     TCP connected, half of a TLS ClientHello sent, over TLS

"Beside" is the change of the p99 of the server that nobody attacks, "disturbed" how many of all seconds were measured again, "still
there" the share of slow connections that stood at the end of their last round, "workers' memory" the growth of the PSS of all
workers for each of them in the first round: later ones use the same memory again. Root, for open files and priorities. Prints a
Markdown table.
"""

import argparse
import gc
import multiprocessing
import os
import pathlib
import re
import resource
import socket
import ssl
import statistics
import time

import lib

ATTACKS = ("idle", "heads", "bodies", "piece", "generator", "file", "shakes")
BIG_BYTES = 8 << 20
APP = f"""
import pathlib

BIG = bytes({BIG_BYTES})

def app(environ, start_response):
    path = environ["PATH_INFO"]
    if path == "/":
        start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "5")])
        return [b"hello"]
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(BIG)))])
    if path == "/piece":
        return [BIG]
    if path == "/file":
        return environ["wsgi.file_wrapper"](open("big", "rb"))
    return (BIG[at:at + 16384] for at in range(0, len(BIG), 16384))
"""
HEAD = b"GET / HTTP/1.1\r\nHost: slow\r\nX-Slow: "
BODY = b"POST / HTTP/1.1\r\nHost: slow\r\nContent-Length: 100000\r\n\r\n"
READ_BYTES = 1024
REQUEST = b"GET / HTTP/1.1\r\nHost: normal\r\n\r\n"
SERVER, CLIENTS = {0}, {1}  # processors
STOLEN_TICKS = 1  # of 10 ms each
LONG_SECOND = 1.5  # of the clock: a server was slow, not only the hypervisor
DISTURBED_MAX = 5  # so many times the seconds of a round at most are measured again


def half_client_hello():
    """The first half of what OpenSSL would send."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    context = ssl.create_default_context()
    try:
        context.wrap_bio(incoming, outgoing, server_hostname="localhost").do_handshake()
    except ssl.SSLWantReadError:
        pass
    hello = outgoing.read()
    return hello[: len(hello) // 2]


def first_bytes(attack):
    if attack == "idle":
        return b"GET / HTTP/1.1\r\nHost: slow\r\n\r\n"
    if attack == "shakes":
        return half_client_hello()
    return {"heads": HEAD, "bodies": BODY}.get(attack, b"GET /%b HTTP/1.1\r\nHost: slow\r\n\r\n" % attack.encode())


def open_one(attack, address, opening, number):
    client = socket.socket()
    if attack in ("piece", "generator", "file"):
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    # One source address has too few ports for many rounds: each round leaves its connections in TIME_WAIT.
    client.bind((f"127.0.1.{number % 200 + 1}", 0))
    client.settimeout(10)
    client.connect(address)
    client.sendall(opening)
    if attack == "idle":
        client.recv(4096)
    client.setblocking(False)
    return client


def is_there(client):
    try:
        return client.recv(1, socket.MSG_PEEK) != b""
    except BlockingIOError:
        return True
    except OSError:
        return False


def act(attack, client):
    """What one slow client does each second. False: it was cut off."""
    try:
        if attack in ("heads", "bodies"):
            client.send(b"a")
        elif attack in ("piece", "generator", "file"):
            return client.recv(READ_BYTES) != b""
    except BlockingIOError:
        pass
    except OSError:
        return False
    return True


def run_slow(attack, address, count, pipe):
    """The process of the slow clients: each acts once a second, spread evenly, until the pipe has something."""
    os.sched_setaffinity(0, CLIENTS)
    opening = first_bytes(attack)
    clients = [open_one(attack, address, opening, number) for number in range(count)]
    pipe.send(None)
    gc.disable()
    done, began = 0, time.monotonic()
    while not pipe.poll(0.01):
        due = int((time.monotonic() - began) * count) if attack not in ("idle", "shakes") else 0
        while done < due:
            if not act(attack, clients[done % count]):
                # It comes again, as whoever wants to do harm would.
                clients[done % count].close()
                clients[done % count] = open_one(attack, address, opening, done)
            done += 1
    pipe.send(sum(map(is_there, clients)))
    for client in clients:
        client.close()


def connect_normal(address, is_tls):
    made = socket.create_connection(address, 30)
    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return ssl._create_unverified_context().wrap_socket(made) if is_tls else made


def ask_once(connection):
    """False: no whole answer."""
    try:
        connection.sendall(REQUEST)
        answer = connection.recv(4096)
        while answer and not answer.endswith(b"\r\n\r\nhello"):
            more = connection.recv(4096)
            answer = answer + more if more else b""
        return answer.startswith(b"HTTP/1.1 200 ")
    except OSError:
        return False


def stolen_ticks():
    """What the hypervisor took from the two processors so far."""
    lines = pathlib.Path("/proc/stat").read_text().splitlines()
    return sum(int(line.split()[8]) for line in lines if line.split()[0] in [f"cpu{number}" for number in SERVER | CLIENTS])


def ask_for_a_second(connection, address, is_tls, rate):
    """The connection to go on with, milliseconds from when each request was due to the end of its answer, and how many failed."""
    times, failed = [], 0
    began = time.monotonic()
    for number in range(rate):
        due = began + number / rate
        time.sleep(max(0, due - time.monotonic()))
        if not ask_once(connection):
            failed += 1
            connection.close()
            connection = connect_normal(address, is_tls)
        times.append((time.monotonic() - due) * 1000)
    return connection, times, failed


def run_normal(address, is_tls, rate, seconds, pipe):
    """The process of a normal client: sends its times, how many requests failed, and how many seconds were disturbed."""
    os.sched_setaffinity(0, CLIENTS)
    os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
    gc.disable()
    kept, failed, disturbed = [], 0, 0
    connection = connect_normal(address, is_tls)
    while len(kept) < rate * seconds and disturbed < DISTURBED_MAX * seconds:
        stolen, began = stolen_ticks(), time.monotonic()
        connection, times, failures = ask_for_a_second(connection, address, is_tls, rate)
        failed += failures
        # What a server made long, or failed at, counts in any case.
        if stolen_ticks() - stolen > STOLEN_TICKS and not failures and time.monotonic() - began < LONG_SECOND:
            disturbed += 1
        else:
            kept += times
    pipe.send((kept, failed, disturbed))


def in_process(function, *arguments):
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.Process(target=function, args=(*arguments, theirs), daemon=True)
    process.start()
    theirs.close()  # else its end would not be noticed
    return process, ours


class Answers:
    """What a normal client got from one server in all rounds of one kind."""

    def __init__(self):
        self.times, self.failed, self.disturbed = [], 0, 0

    def add(self, times, failed, disturbed):
        self.times += times
        self.failed += failed
        self.disturbed += disturbed

    def percentile(self, share):
        return lib.percentile(self.times, share) if self.times else float("nan")


def ask(addresses, is_tls, arguments, into):
    """Asks all at the same time, each by a client of its own; `into` has one Answers for each."""
    clients = [in_process(run_normal, address, is_tls, arguments.rate, arguments.seconds) for address in addresses]
    for (process, pipe), answers in zip(clients, into):
        answers.add(*pipe.recv())
        process.join()


def pss_bytes(pids):
    total = 0
    for pid in pids:
        total += int(re.search(r"^Pss:\s+(\d+)", pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text(), re.M).group(1)) << 10
    return total


def processor_seconds(pids):
    ticks = 0
    for pid in pids:
        fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def address_of(server):
    host, _, port = server.address.rpartition(":")
    return host, int(port)


def measure(server, beside, attack, is_tls, arguments):
    addresses = [address_of(server), address_of(beside)]
    count = arguments.idle if attack == "idle" else arguments.slow
    quiet, loaded, memory, busy, there = (Answers(), Answers()), (Answers(), Answers()), [], [], 0
    ask(addresses, is_tls, arguments, (Answers(), Answers()))
    for _ in range(arguments.rounds):
        before = pss_bytes(server.worker_pids())
        ask(addresses, is_tls, arguments, quiet)
        process, pipe = in_process(run_slow, attack, addresses[0], count)
        pipe.recv()
        time.sleep(arguments.settle)  # connecting them is over, and what was due to them at once is sent
        pids = server.worker_pids()
        used, began = processor_seconds(pids), time.monotonic()
        ask(addresses, is_tls, arguments, loaded)
        busy.append((processor_seconds(pids) - used) / (time.monotonic() - began) * 100)
        memory.append((pss_bytes(pids) - before) / count / 1024)
        pipe.send(None)
        there = pipe.recv()
        process.join()
        time.sleep(1)  # for the workers to see them off
    return quiet, loaded, memory[0], statistics.median(busy), there / count


def times_of(quiet, loaded):
    """Cells: p50 and p99, quiet and loaded, and by how much p99 has changed."""
    before, after = quiet.percentile(0.99), loaded.percentile(0.99)
    return (f"{quiet.percentile(0.5):.2f}", f"{loaded.percentile(0.5):.2f}", f"{before:.2f}", f"{after:.2f}",
            f"{(after / before - 1) * 100:+.0f} %" if quiet.times and loaded.times else "all disturbed")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("build", type=pathlib.Path)
    parser.add_argument("--classes", default="sync,gthread,gevent")
    parser.add_argument("--workers", default="1,2")
    parser.add_argument("--attacks", default=",".join(ATTACKS))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=2, help="of each round's quiet half, and of its loaded half")
    parser.add_argument("--settle", type=float, default=1, help="seconds from the last slow client's connecting to measuring")
    parser.add_argument("--rate", type=int, default=500, help="requests per second to each server")
    parser.add_argument("--slow", type=int, default=1000, help="slow clients")
    parser.add_argument("--idle", type=int, default=10000, help="idle connections")
    arguments = parser.parse_args()
    arguments.build = arguments.build.resolve()
    files = max(arguments.idle, arguments.slow) + 1024
    resource.setrlimit(resource.RLIMIT_NOFILE, (files, max(files, resource.getrlimit(resource.RLIMIT_NOFILE)[1])))
    lib.header("class", "workers", "attack", "p50 quiet ms", "p50 loaded ms", "p99 quiet ms", "p99 loaded ms", "p99 change",
               "p99 beside", "failed", "disturbed", "still there", "workers' memory, kB each", "workers' CPU")
    with lib.scratch(APP) as folder, lib.scratch(APP) as other:
        (folder / "big").write_bytes(bytes(BIG_BYTES))
        for worker_class in arguments.classes.split(","):
            for workers in map(int, arguments.workers.split(",")):
                for attack in arguments.attacks.split(","):
                    if (worker_class, attack) == ("gthread", "generator"):
                        lib.row(worker_class, workers, attack, "not measured: such a reader holds a thread (docs/limits.md)")
                        continue
                    is_tls = attack == "shakes"
                    options = ["-k", worker_class, "--worker-connections", str(2 * arguments.idle), "--keep-alive", "600",
                               "--backlog", "4096", *(["--threads", "4"] if worker_class == "gthread" else []),
                               *(lib.TLS if is_tls else [])]
                    with (lib.Server(arguments.build, folder, options, workers, pin=SERVER) as server,
                          lib.Server(arguments.build, other, options, workers, pin=SERVER) as beside):
                        quiet, loaded, memory, busy, there = measure(server, beside, attack, is_tls, arguments)
                    disturbed = sum(answers.disturbed for answers in quiet + loaded)
                    seconds = disturbed + sum(len(answers.times) for answers in quiet + loaded) // arguments.rate
                    lib.row(worker_class, workers, attack, *times_of(quiet[0], loaded[0]), times_of(quiet[1], loaded[1])[-1],
                            quiet[0].failed + loaded[0].failed, f"{disturbed} of {seconds}", f"{there:.0%}", f"{memory:.1f}",
                            f"{busy:.1f} %")


if __name__ == "__main__":
    main()
