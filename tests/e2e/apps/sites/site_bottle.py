# SPDX-License-Identifier: MIT
import json

from bottle import Bottle, redirect, request, response, static_file
from common import BIG, FILE, STATIC, digest, pieces, seen
from whitenoise import WhiteNoise

bottle = Bottle()
SECRET = "for tests only"


@bottle.get("/hello")
def hello():
    return "hello"


@bottle.post("/form")
def form():
    return dict(request.forms.decode().items())


@bottle.post("/parts")
def parts():
    upload = request.files["file"]
    return {"title": request.forms["title"], "name": upload.filename, **digest(upload.file.read)}


@bottle.post("/count")
def count():
    return digest(request.environ["wsgi.input"].read)


@bottle.get("/stream")
def stream():
    response.content_type = "text/plain"
    return pieces()


@bottle.get("/file")
def file():
    return static_file(FILE.name, root=str(FILE.parent))


@bottle.get("/visit")
def visit():
    visits = int(request.get_cookie("visits", default="0", secret=SECRET)) + 1
    response.set_cookie("visits", str(visits), secret=SECRET)
    return str(visits)


@bottle.get("/redirect")
def moved():
    redirect("/hello", 302)


@bottle.get("/error")
def error():
    return str(1 / 0)


@bottle.get("/big")
def big():
    response.content_type = "application/json"
    return json.dumps(BIG)


@bottle.get("/seen")
def show():
    return seen(request.environ)


app = WhiteNoise(bottle, root=str(STATIC), prefix="static/")
