# SPDX-License-Identifier: MIT
from common import BIG, FILE, STATIC, digest, pieces, seen
from pyramid.config import Configurator
from pyramid.httpexceptions import HTTPFound
from pyramid.response import FileResponse, Response
from pyramid.session import SignedCookieSessionFactory
from whitenoise import WhiteNoise


def hello(request):
    return Response("hello", content_type="text/plain")


def form(request):
    return dict(request.POST)


def parts(request):
    upload = request.POST["file"]
    return {"title": request.POST["title"], "name": upload.filename, **digest(upload.file.read)}


def count(request):
    return digest(request.environ["wsgi.input"].read)


def stream(request):
    return Response(app_iter=pieces(), content_type="text/plain")


def file(request):
    response = FileResponse(str(FILE), request=request)
    response.conditional_response = True
    response.etag = "letters"
    response.accept_ranges = "bytes"
    return response


def visit(request):
    request.session["visits"] = request.session.get("visits", 0) + 1
    return Response(str(request.session["visits"]))


def moved(request):
    return HTTPFound("/hello")


def error(request):
    return Response(str(1 / 0))


def big(request):
    return BIG


def show(request):
    return seen(request.environ)


with Configurator(settings={}) as config:
    config.set_session_factory(SignedCookieSessionFactory("for tests only"))
    for path, view in {"redirect": moved, "seen": show}.items() | {
        (name.__name__, name) for name in (hello, form, parts, count, stream, file, visit, error, big)
    }:
        config.add_route(path, "/" + path)
        config.add_view(view, route_name=path, renderer="json")
    app = WhiteNoise(config.make_wsgi_app(), root=str(STATIC), prefix="static/")
