# SPDX-License-Identifier: MIT
"""Factories, and objects that are no applications."""

import json

nothing = None
number = 5


def create_app(name="default", debug=False, items=()):
    def app(environ, start_response):
        body = json.dumps({"name": name, "debug": debug, "items": items}).encode()
        start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
        return [body]

    return app


def gives_nothing():
    return None


class Holder:
    app = create_app("attribute")


application = create_app("application")
