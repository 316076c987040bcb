# SPDX-License-Identifier: MIT
"""A small but real Flask application: pages, JSON, a stream, an upload, slow and failing requests."""

import hashlib
import os
import time

from flask import Flask, Response, jsonify, render_template_string, request

app = Flask(__name__)

PAGE = """<!doctype html>
<title>gunwale</title>
<h1>Hello from worker {{ pid }}</h1>
<ul>
  <li><a href="/json">/json</a>
  <li><a href="/stream?lines=20">/stream?lines=20</a>: one line each tenth of a second
  <li><a href="/slow?seconds=2">/slow?seconds=2</a>
  <li><a href="/error">/error</a>: a traceback in the log
  <li>upload: <form action="/upload" method="post" enctype="multipart/form-data">
    <input type="file" name="file"><button>send</button></form>
</ul>
"""


@app.get("/")
def index():
    return render_template_string(PAGE, pid=os.getpid())


@app.get("/json")
def as_json():
    return jsonify(message="hello", workers_pid=os.getpid(), server=request.environ["SERVER_SOFTWARE"])


@app.get("/stream")
def stream():
    lines = min(request.args.get("lines", 10, type=int), 10000)
    pause = request.args.get("pause", 0.0 if lines > 20 else 0.1, type=float)

    def generate():
        for number in range(lines):
            yield f"line {number}\n"
            time.sleep(pause)

    return Response(generate(), mimetype="text/plain")


@app.post("/upload")
def upload():
    file = request.files["file"]
    check, size = hashlib.sha256(), 0
    while piece := file.stream.read(65536):
        check.update(piece)
        size += len(piece)
    return jsonify(name=file.filename, bytes=size, sha256=check.hexdigest())


@app.get("/slow")
def slow():
    seconds = min(request.args.get("seconds", 1.0, type=float), 20.0)
    time.sleep(seconds)
    return f"slept {seconds} s in worker {os.getpid()}\n"


@app.get("/error")
def error():
    return str(1 / 0)
