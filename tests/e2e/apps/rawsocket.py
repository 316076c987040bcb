# SPDX-License-Identifier: MIT
"""Applications that speak to the client themselves, through gunicorn.socket."""

import os
import socket
import threading

HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nConnection: close\r\n\r\n"


def answer(start_response, text):
    body = str(text).encode()
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body]


def echo(environ, start_response):
    """Lines come back until one says end."""
    sock = environ["gunicorn.socket"]
    sock.sendall(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
    with sock.makefile("rb") as lines:
        for line in lines:
            if line == b"end\n":
                break
            sock.sendall(line)
    raise StopIteration


def silent_return(environ, start_response):
    environ["gunicorn.socket"].sendall(HEAD + b"raw")
    return []


def failing(environ, start_response):
    environ["gunicorn.socket"].sendall(HEAD + b"raw")
    raise ValueError("after the raw answer")


def both(environ, start_response):
    environ["gunicorn.socket"].sendall(b"HTTP/1.1 103 Early Hints\r\nLink: </style.css>\r\n\r\n")
    return answer(start_response, "final")


def look(environ, start_response):
    """Questions that take nothing away."""
    sock = environ["gunicorn.socket"]
    facts = [
        isinstance(sock, socket.socket),
        sock.getpeername() == (environ["REMOTE_ADDR"], int(environ["REMOTE_PORT"])),
        sock.fileno() >= 0,
        sock.gettimeout() is None and sock.getblocking(),
    ]
    try:
        facts.append(sock.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT))
    except BlockingIOError:
        facts.append("nothing to read")
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return answer(start_response, facts)


def timeouts(environ, start_response):
    sock = environ["gunicorn.socket"]
    found = []
    sock.settimeout(0.05)
    try:
        sock.recv(1)
    except socket.timeout:
        found.append("timeout")
    sock.setblocking(False)
    try:
        sock.recv(1)
    except BlockingIOError:
        found.append("would block")
    sock.setblocking(True)
    sock.sendall(repr(found).encode() + b"\n")
    found.append(sock.recv(5))
    sock.sendall(repr(found).encode())
    sock.close()
    raise StopIteration


def large(environ, start_response):
    """More than any socket buffer: sendall() has to wait."""
    environ["gunicorn.socket"].sendall(b"x" * (8 << 20))
    raise StopIteration


def reader_thread(environ, start_response):
    """Leaves a thread behind that reads; it must see the end."""
    sock = environ["gunicorn.socket"]
    sock.sendall(HEAD + b"raw")

    def read():
        try:
            last = sock.recv(1)
        except OSError as error:
            last = type(error).__name__
        with open(os.environ["READER_FILE"], "w") as file:
            file.write(f"ended with {last!r}")

    threading.Thread(target=read, daemon=True).start()
    return []


def app(environ, start_response):
    return globals()[environ["PATH_INFO"].strip("/")](environ, start_response)
