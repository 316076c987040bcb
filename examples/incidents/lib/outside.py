# SPDX-License-Identifier: MIT
"""
What stays outside of the container: upstream, clients, observer. Used by run.py and by the end-to-end tests.
"""

import json
import subprocess
import sys
import threading
import time

PERIOD = 0.05


def start_upstream(incident):
    """(process, address) of upstream.py, (None, None) where there is none. It ends when its input is closed."""
    script = incident / "upstream.py"
    if not script.exists():
        return None, None
    process = subprocess.Popen([sys.executable, str(script)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    address = process.stdout.readline().strip()
    if not address:
        raise RuntimeError(f"{script} did not start")
    return process, address


def run_load(incident, url, upstream, seconds):
    """The document that load.py prints."""
    command = [sys.executable, str(incident / "load.py"), "--url", url, "--seconds", str(seconds)]
    if upstream:
        command += ["--upstream", upstream]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, timeout=seconds + 90, check=True)
    return json.loads(done.stdout)


class Observer(threading.Thread):
    """The highest of each reading of the container, and how it went."""

    def __init__(self, container):
        super().__init__(daemon=True)
        self.container = container
        self.highest = {}
        self.series = []
        self.ended = threading.Event()

    def run(self):
        begun = time.monotonic()
        while not self.ended.wait(PERIOD):
            reading = self.container.read()
            for name, value in reading.items():
                if value is not None:
                    self.highest[name] = max(self.highest.get(name, 0), value)
            self.series.append([round(time.monotonic() - begun, 2), reading["used_bytes"], reading["socket_bytes"]])

    def stop(self):
        self.ended.set()
        self.join()


