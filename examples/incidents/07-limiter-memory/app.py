# SPDX-License-Identifier: MIT
"""An API whose users may have so many tokens a day, counted by Flask-Limiter in the memory of the worker."""

from flask import Flask, jsonify, request
from flask_limiter import Limiter

app = Flask(__name__)


def api_key():
    return request.headers.get("X-Api-Key") or request.args.get("key", "nobody")


def tokens():
    return request.args.get("tokens", 1, type=int)


limiter = Limiter(api_key, app=app, storage_uri="memory://", strategy="moving-window")


@app.get("/ping")
@limiter.exempt
def ping():
    return "pong\n"


@app.get("/complete")
@limiter.limit("100 per minute")
@limiter.limit("1000000 per day", cost=tokens)
def complete():
    return jsonify(text="Hello!", tokens=tokens())
