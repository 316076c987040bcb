# SPDX-License-Identifier: MIT
"""Recommendations. The history of each user is remembered, in a dictionary that never forgets."""

import random
import time
from collections import defaultdict

from flask import Flask, jsonify

app = Flask(__name__)
histories = defaultdict(list)


@app.get("/ping")
def ping():
    return "pong\n"


def load_history(user):
    """Stands for a query to a database."""
    chance = random.Random(user)
    now = time.time()
    return [
        {"song": f"song {chance.randrange(10**6)}", "user": user, "at": now - number, "rating": chance.random()}
        for number in range(1000)
    ]


@app.get("/recommend/<user>")
def recommend(user):
    history = histories[user]
    if not history:
        history.extend(load_history(user))
    best = max(history, key=lambda entry: entry["rating"])
    return jsonify(user=user, song=best["song"], known_users=len(histories))
