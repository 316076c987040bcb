# SPDX-License-Identifier: MIT
"""prepare.py FOLDER: makes orders.db there, with two million rows, unless it is there."""

import os
import sqlite3
import sys

ROWS = 2_000_000


def prepare(folder):
    path = os.path.join(folder, "orders.db")
    if os.path.exists(path):
        return
    unfinished = path + ".new"
    if os.path.exists(unfinished):
        os.unlink(unfinished)
    database = sqlite3.connect(unfinished, isolation_level=None)
    database.execute("pragma journal_mode = off")
    database.execute("pragma synchronous = off")
    database.execute("create table orders (id integer primary key, customer text, article text, quantity integer, price real)")
    database.execute(
        "with recursive number(n) as (select 1 union all select n + 1 from number where n < ?)"
        " insert into orders select n, 'customer ' || (n * 7919 % 50000), 'article ' || (n % 977), n % 9 + 1, (n % 1000) / 10.0"
        " from number",
        (ROWS,),
    )
    database.close()
    os.rename(unfinished, path)


if __name__ == "__main__":
    prepare(sys.argv[1])
