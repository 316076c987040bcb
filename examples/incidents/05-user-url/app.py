# SPDX-License-Identifier: MIT
"""Title and type of a link, for a preview. The address comes from the user."""

import requests
from flask import Flask, abort, jsonify, request

app = Flask(__name__)


@app.get("/ping")
def ping():
    return "pong\n"


@app.get("/metadata")
def metadata():
    try:
        page = requests.get(request.args["url"], timeout=3)
    except requests.RequestException:
        abort(502)
    title = page.text.partition("<title>")[2].partition("</title>")[0]
    return jsonify(title=title, type=page.headers["Content-Type"], bytes=len(page.content))
