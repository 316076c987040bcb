# SPDX-License-Identifier: MIT
import falcon
from common import BIG, FILE, STATIC, digest, pieces, seen
from whitenoise import WhiteNoise


class Hello:
    def on_get(self, req, resp):
        resp.content_type = falcon.MEDIA_TEXT
        resp.text = "hello"

    on_head = on_get


class Form:
    def on_post(self, req, resp):
        resp.media = req.get_media()


class Parts:
    def on_post(self, req, resp):
        resp.media = answer = {}
        for part in req.get_media():
            if part.name == "file":
                answer.update(name=part.filename, **digest(part.stream.read))
            else:
                answer[part.name] = part.text


class Count:
    def on_post(self, req, resp):
        resp.media = digest(req.bounded_stream.read)


class Stream:
    def on_get(self, req, resp):
        resp.content_type = falcon.MEDIA_TEXT
        resp.stream = pieces()


class Visit:
    def on_get(self, req, resp):
        visits = int(req.cookies.get("visits", "0")) + 1
        resp.set_cookie("visits", str(visits), secure=False)
        resp.text = str(visits)


class Redirect:
    def on_get(self, req, resp):
        raise falcon.HTTPFound("/hello")


class Error:
    def on_get(self, req, resp):
        resp.text = str(1 / 0)


class Big:
    def on_get(self, req, resp):
        resp.media = BIG


class Seen:
    def on_get(self, req, resp):
        resp.media = seen(req.env)


site = falcon.App()
for name in (Hello, Form, Parts, Count, Stream, Visit, Redirect, Error, Big, Seen):
    site.add_route("/" + name.__name__.lower(), name())
site.add_static_route("/file", str(FILE.parent), fallback_filename=str(FILE))
app = WhiteNoise(site, root=str(STATIC), prefix="static/")
