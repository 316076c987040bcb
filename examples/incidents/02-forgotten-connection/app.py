# SPDX-License-Identifier: MIT
"""Shows which stations are on the air, by a HEAD request to each stream."""

import os

import requests
from flask import Flask, jsonify, request
from requests.adapters import HTTPAdapter

app = Flask(__name__)
session = requests.Session()
session.mount("http://", HTTPAdapter(pool_connections=1000))
stations = requests.get(os.environ["UPSTREAM"] + "/directory", timeout=10).json()


@app.get("/ping")
def ping():
    return "pong\n"


@app.get("/stations")
def on_the_air():
    page = request.args.get("page", 0, type=int)
    found = {}
    for address in stations[page * 20 : page * 20 + 20]:
        answer = session.head(address + "/stream", timeout=3)
        found[address] = {"name": answer.headers["icy-name"], "kbit": answer.headers["icy-br"]}
    return jsonify(found)
