# SPDX-License-Identifier: MIT
"""Clients that go on asking while something happens to the server, and count what went wrong.

An idle keep-alive connection that the server closes is no error: the client opens a new one, as all clients do. A request
that was sent on a connection and not answered is one, unless the connection had been idle and not one byte came back
(RFC 9112 section 9.3.1: such a request is repeated), which is counted apart.
"""

import threading

from rawclient import SLOW, Closed, RawClient


class Load:
    def __init__(self, address, clients=8, keep_alive=True, target="/pid", expect=200, **connection):
        self.address = address
        self.keep_alive = keep_alive
        self.connection = connection  # tls=, prelude= of RawClient
        self.target = target
        self.expect = expect
        self.errors = []
        self.answers = {}
        self.count = 0
        self.repeated = 0
        self.lock = threading.Lock()
        self.stopping = threading.Event()
        self.threads = [threading.Thread(target=self.run, daemon=True) for _ in range(clients)]

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *unused):
        self.stop()

    def stop(self):
        self.stopping.set()
        for thread in self.threads:
            thread.join(30 * SLOW)
            assert not thread.is_alive(), "a client hangs"

    def run(self):
        client, used = None, 0
        while not self.stopping.is_set():
            try:
                if client is None:
                    client, used = RawClient(self.address, timeout=20 * SLOW, **self.connection), 0
                headers = {} if self.keep_alive else {"Connection": "close"}
                response = client.request("GET", self.target, headers=headers)
                used += 1
                with self.lock:
                    self.count += 1
                    self.answers[response.text] = self.answers.get(response.text, 0) + 1
                    if response.code != self.expect:
                        self.errors.append(response)
                if response.header("Connection") == "close":
                    client.expect_close()
                    client.close()
                    client = None
            except (Closed, OSError, AssertionError) as error:
                untouched = client is not None and used > 0 and client.is_at_end and not client.buffer
                broken_pipe = isinstance(error, (BrokenPipeError, ConnectionResetError)) and used > 0
                with self.lock:
                    if untouched or broken_pipe:
                        self.repeated += 1
                    else:
                        self.errors.append(repr(error))
                if client is not None:
                    client.close()
                client = None
        if client is not None:
            client.close()

    def check(self, at_least=1):
        assert not self.errors, f"{len(self.errors)} errors in {self.count} requests: {self.errors[:5]}"
        assert self.count >= at_least, f"only {self.count} requests"
