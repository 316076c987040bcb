# SPDX-License-Identifier: MIT
"""Workers that accept from the same listener."""

import collections
import os
import select
import socket
import statistics
import time

import pytest
from classes import class_arguments

CLIENTS = 64
REQUEST = b"GET /pid HTTP/1.1\r\nHost: localhost\r\n\r\n"


def share_of_the_richest(address):
    """Clients that come all at once and go on asking: which part of them the worker with most has."""
    poller = select.epoll()
    clients, owners = {}, {}
    for _ in range(CLIENTS):
        client = socket.socket()
        client.setblocking(False)
        client.connect_ex(address)
        clients[client.fileno()] = client
        poller.register(client, select.EPOLLOUT)
    until = time.monotonic() + 0.5
    while time.monotonic() < until or len(owners) < CLIENTS:
        events = poller.poll(10)
        assert events, "nobody answers"
        for fd, event in events:
            if event & select.EPOLLOUT:
                poller.modify(fd, select.EPOLLIN)
                clients[fd].sendall(REQUEST)
                continue
            answer = clients[fd].recv(4096)
            assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
            pid = int(answer.partition(b"\r\n\r\n")[2])
            assert owners.setdefault(fd, pid) == pid
            clients[fd].sendall(REQUEST)
    for client in clients.values():
        client.close()
    poller.close()
    return max(collections.Counter(owners.values()).values()) / CLIENTS


@pytest.mark.parametrize("cores", ["all", "one"])
@pytest.mark.parametrize("name", ["sync", "gthread", "gevent"])
def test_kept_alive_clients_are_shared_evenly(server, request, name, cores):
    env = {"VIRTUAL_ENV": request.getfixturevalue("packages")} if name == "gevent" else {}
    core = {min(os.sched_getaffinity(0))}
    place = {"preexec_fn": lambda: os.sched_setaffinity(0, core)} if cores == "one" else {}
    server.start(args=class_arguments(name), workers=2, env=env, **place)
    shares = []
    for _ in range(5):
        shares.append(share_of_the_richest(server.address))
        time.sleep(0.2)
    assert statistics.median(shares) <= 0.6, shares
