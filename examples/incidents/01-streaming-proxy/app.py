# SPDX-License-Identifier: MIT
"""Relays radio stations to listeners whose browsers may not fetch them themselves."""

import os

import requests
from flask import Flask, Response

app = Flask(__name__)
RADIO = os.environ["UPSTREAM"]


@app.get("/ping")
def ping():
    return "pong\n"


@app.get("/listen/<station>")
def listen(station):
    upstream = requests.get(f"{RADIO}/stream/{station}", stream=True, timeout=10)
    return Response(upstream.iter_content(4096), content_type=upstream.headers["Content-Type"])
