# SPDX-License-Identifier: MIT
"""The application of bench/memory.py: Flask, SQLAlchemy and requests, as in a small shop.

The environment's SHOP_DATABASE names the file of its SQLite database; bench/memory.py sets it, and fills the file with stock().
"""

import itertools
import os

import flask
import requests
import sqlalchemy
from sqlalchemy import orm


class Base(orm.DeclarativeBase):
    pass


class Article(Base):
    __tablename__ = "articles"
    id = orm.mapped_column(sqlalchemy.Integer, primary_key=True)
    name = orm.mapped_column(sqlalchemy.String(80))
    price = orm.mapped_column(sqlalchemy.Integer)


app = flask.Flask(__name__)
served = itertools.count(1)
session = requests.Session()
engine = sqlalchemy.create_engine("sqlite:///" + os.environ["SHOP_DATABASE"])
# Connections of its own for each process, also when a request was answered before the fork.
os.register_at_fork(after_in_child=lambda: engine.dispose(close=False))


def stock():
    """Before the server starts."""
    Base.metadata.create_all(engine)
    with orm.Session(engine) as database:
        database.add_all(Article(name=f"article {n}", price=n * 100) for n in range(200))
        database.commit()


@app.get("/")
def articles():
    number = next(served)
    with orm.Session(engine) as database:
        dearest = database.scalars(sqlalchemy.select(Article).order_by(Article.price.desc()).limit(20)).all()
        rows = [{"id": article.id, "name": article.name, "price": article.price} for article in dearest]
    # What a call of another service needs, but the call itself.
    order = session.prepare_request(requests.Request("POST", "http://localhost/orders", json=rows))
    return flask.jsonify(pid=os.getpid(), served=number, rows=rows, size=len(order.body))
