# SPDX-License-Identifier: MIT
"""The Flask application of bench/run."""

import flask

app = flask.Flask(__name__)
ROWS = [{"id": n, "name": f"article {n:03d}", "price": n * 7.25, "tags": ["red", "round"], "stock": n % 3 == 0} for n in range(24)]


@app.get("/")
def hello():
    return "Hello, world\n"


@app.get("/json")
def rows():
    return flask.jsonify(rows=ROWS, page=1, pages=12)
