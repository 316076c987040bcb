# SPDX-License-Identifier: MIT
"""A report over all orders of a shop: two million rows, fetched into one list of dictionaries."""

import os
import sqlite3

from flask import Flask, g, jsonify

app = Flask(__name__)
DATABASE = os.path.join(os.environ.get("DATA", "."), "orders.db")


def as_dictionary(cursor, row):
    return {column[0]: value for column, value in zip(cursor.description, row)}


def database():
    if "database" not in g:
        g.database = sqlite3.connect(DATABASE)
        g.database.row_factory = as_dictionary
    return g.database


@app.teardown_appcontext
def close_database(_):
    if "database" in g:
        g.database.close()


@app.get("/ping")
def ping():
    return "pong\n"


@app.get("/report")
def report():
    orders = database().execute("select * from orders").fetchall()
    total = sum(order["price"] * order["quantity"] for order in orders)
    return jsonify(orders=len(orders), total=round(total, 2))
