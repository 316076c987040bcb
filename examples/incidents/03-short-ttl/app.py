# SPDX-License-Identifier: MIT
"""What each station plays now, kept for ten seconds to spare the slow service that knows."""

import os
import time

import requests
from flask import Flask, jsonify

app = Flask(__name__)
NOW = os.environ["UPSTREAM"] + "/now"
TTL = float(os.environ.get("TTL", "10"))
cached = {}  # station: (until, answer)


@app.get("/ping")
def ping():
    return "pong\n"


@app.get("/nowplaying/<int:station>")
def now_playing(station):
    until, answer = cached.get(station, (0, None))
    if time.monotonic() >= until:
        answer = requests.get(f"{NOW}?station={station}", timeout=3).json()
        cached[station] = (time.monotonic() + TTL, answer)
    return jsonify(answer)
