# SPDX-License-Identifier: MIT
"""Starts a server that has no command line of its own, or not for all that we set.

    serve.py KIND MODULE:APP PORT WORKERS THREADS [GC]

GC is what apps/raw.py's stamp says of another server: the same is set here.
"""

import gc
import importlib
import json
import os
import signal
import sys

HOST, BACKLOG = "127.0.0.1", 2048


def in_workers(count, run):
    """Calls it here, or in forked children on whatever was opened before; SIGTERM ends all."""
    if count == 1:
        return run()
    children = []
    for _ in range(count):
        pid = os.fork()
        if pid == 0:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            run()
            os._exit(0)
        children.append(pid)

    def stop(*_):
        for pid in children:
            os.kill(pid, signal.SIGTERM)
        os._exit(0)

    signal.signal(signal.SIGTERM, stop)
    while True:
        signal.pause()


def bjoern(app, port, workers, threads):
    import bjoern

    listener = bjoern.bind_and_listen(HOST, port, listen_backlog=BACKLOG)
    in_workers(workers, lambda: bjoern.server_run(listener, app))


def fastwsgi(app, port, workers, threads):
    import fastwsgi

    server = fastwsgi.server
    server.backlog = BACKLOG

    def run():
        # Opened by each worker: it sets SO_REUSEPORT.
        server.init(app, HOST, port, fastwsgi.LL_FATAL_ERROR, 1)
        server.run()

    in_workers(workers, run)


def waitress(app, port, workers, threads):
    import waitress

    waitress.serve(app, host=HOST, port=port, threads=threads, backlog=BACKLOG, connection_limit=2000, asyncore_use_poll=True)


def cheroot(app, port, workers, threads):
    from cheroot import wsgi

    wsgi.Server((HOST, port), app, numthreads=threads, request_queue_size=BACKLOG).start()


def main():
    kind, spec, port, workers, threads = sys.argv[1:6]
    facts = json.loads(sys.argv[6]) if len(sys.argv) > 6 else None
    if facts:
        gc.set_threshold(*facts["threshold"])
        if not facts["enabled"]:
            gc.disable()
        if facts["frozen_before"]:
            gc.collect()
            gc.freeze()
    module, _, name = spec.partition(":")
    app = getattr(importlib.import_module(module), name)
    if facts and facts["frozen_after"]:
        gc.collect()
        gc.freeze()
    globals()[kind](app, int(port), int(workers), int(threads))


main()
