# SPDX-License-Identifier: MIT
from common import BIG, FILE, STATIC, digest, pieces, seen
from flask import Flask, Response, jsonify, redirect, request, send_file, session
from whitenoise import WhiteNoise

app = Flask(__name__, static_folder=None)
app.secret_key = "for tests only"
app.wsgi_app = WhiteNoise(app.wsgi_app, root=STATIC, prefix="static/")


@app.get("/hello")
def hello():
    return "hello"


@app.post("/form")
def form():
    return jsonify(request.form)


@app.post("/parts")
def parts():
    file = request.files["file"]
    return jsonify(title=request.form["title"], name=file.filename, **digest(file.stream.read))


@app.post("/count")
def count():
    return jsonify(digest(request.stream.read))


@app.get("/stream")
def stream():
    return Response(pieces(), mimetype="text/plain")


@app.get("/file")
def file():
    return send_file(FILE, conditional=True, etag=True)


@app.get("/visit")
def visit():
    session["visits"] = session.get("visits", 0) + 1
    return str(session["visits"])


@app.get("/redirect")
def moved():
    return redirect("/hello")


@app.get("/error")
def error():
    return str(1 / 0)


@app.get("/big")
def big():
    return jsonify(BIG)


@app.get("/seen")
def show():
    return jsonify(seen(request.environ))
