# SPDX-License-Identifier: MIT
"""The table that tests/e2e/test_settings_table.py holds gunwale to, held against the real gunicorn.

gunicorn is asked in one process of its own: names, flags, defaults, and which values its settings take.
"""

import json
import pathlib
import subprocess
import sys

import pytest
from test_cli import GUNICORN, VERSION, pytestmark  # noqa: F401

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "e2e"))

from gunicorn_settings import ROWS, accepted, refused  # noqa: E402

# Newer than the paper that the table was made from.
NEWER = {"websocket_max_message_size"}

PROBE = """
import json, sys, warnings
warnings.simplefilter("ignore")
from gunicorn import config

__file__ = sys.executable
questions = json.loads(sys.stdin.read())
answers = {}
for cls in config.KNOWN_SETTINGS:
    taken = {}
    for text in questions.get(cls.name, []):
        one = cls()
        try:
            one.set(eval(text))
            value = one.get()
            taken[text] = f"<{value.__qualname__}()>" if callable(value) else str(value)
        except Exception as error:
            taken[text] = None
    answers[cls.name] = {"flags": cls.cli or [], "default": str(cls().get()), "taken": taken}
print(json.dumps(answers))
"""


@pytest.fixture(scope="module")
def theirs(tmp_path_factory):
    if GUNICORN[1:] != ["-m", "gunicorn"]:
        pytest.skip("needs GUNICORN to be `python -m gunicorn`")
    questions = {row.name: [text for text, _ in accepted(row)] + refused(row) for row in ROWS}
    done = subprocess.run(
        [GUNICORN[0], "-c", PROBE],
        input=json.dumps(questions),
        capture_output=True,
        text=True,
        check=True,
        cwd=tmp_path_factory.mktemp("probe"),
        env={"PATH": "/usr/bin:/bin"},
    )
    return json.loads(done.stdout)


def test_the_table_has_every_setting(theirs):
    assert set(theirs) - NEWER == {row.name for row in ROWS}


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_a_row_says_what_gunicorn_does(theirs, row):
    real = theirs[row.name]
    assert real["flags"] == row.flags
    if row.default not in (".", "uid", "gid", "2", "0", "*") and not row.is_hook:
        assert real["default"] == row.default
    for text, shown in accepted(row):
        assert real["taken"][text] is not None, text
        if shown is not None and row.name != "ssl_version":
            assert real["taken"][text].startswith("<") if row.is_hook else real["taken"][text] == shown, text
    for text in refused(row):
        assert real["taken"][text] is None, text
