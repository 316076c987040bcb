# SPDX-License-Identifier: MIT
"""An export of as many lines as the client asks for, built in memory."""

from flask import Flask, Response, request

app = Flask(__name__)


@app.get("/ping")
def ping():
    return "pong\n"


@app.get("/export")
def export():
    lines = []
    for number in range(request.args.get("lines", 1000, type=int)):
        lines.append({"id": number, "name": f"customer {number}", "total": number * 1.19, "open": number % 3 == 0})
    text = "\n".join(f"{line['id']};{line['name']};{line['total']};{line['open']}" for line in lines)
    return Response(text, mimetype="text/csv")
