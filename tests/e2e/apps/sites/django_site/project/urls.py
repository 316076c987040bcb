# SPDX-License-Identifier: MIT
from common import BIG, FILE, digest, pieces, seen
from django.http import FileResponse, HttpResponse, HttpResponseRedirect, JsonResponse, StreamingHttpResponse
from django.urls import path


def hello(request):
    return HttpResponse("hello", content_type="text/plain")


def form(request):
    return JsonResponse(request.POST.dict())


def parts(request):
    upload = request.FILES["file"]
    return JsonResponse({"title": request.POST["title"], "name": upload.name, **digest(upload.read)})


def count(request):
    return JsonResponse(digest(request.read))


def stream(request):
    return StreamingHttpResponse(pieces(), content_type="text/plain")


def file(request):
    response = FileResponse(FILE.open("rb"))
    response["ETag"] = '"letters"'
    return response


def visit(request):
    request.session["visits"] = request.session.get("visits", 0) + 1
    return HttpResponse(str(request.session["visits"]))


def moved(request):
    return HttpResponseRedirect("/hello")


def error(request):
    return HttpResponse(str(1 / 0))


def big(request):
    return JsonResponse(BIG, safe=False)


def show(request):
    return JsonResponse(seen(request.META))


urlpatterns = [path("redirect", moved), path("seen", show)]
urlpatterns += [path(view.__name__, view) for view in (hello, form, parts, count, stream, file, visit, error, big)]
