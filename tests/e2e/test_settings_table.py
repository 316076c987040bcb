# SPDX-License-Identifier: MIT
"""Every setting of gunicorn: its flags, its values, its default, and what is said where it has no effect."""

import os

import pytest
from gunicorn_settings import BY_NAME, FLAG_VALUES, ROWS, WORDS, accepted, refused
from test_cli import printed

# Another value than the default ends the start, with a sentence.
ENDS_THE_START = {"paste", "protocol"}
# Values that differ on purpose; docs/migrating.md has the reasons.
OURS = {"sendfile": "True", "control_socket": "None", "default_proc_name": "gunwale"}
TLS = {"certfile", "keyfile", "ca_certs", "ciphers"}  # test_tls.py: these must name what is there
FREE = [row for row in ROWS if row.name not in ENDS_THE_START]


def shown_default(row):
    if row.is_hook:
        return "<do_nothing()>"
    if row.name in OURS:
        return OURS[row.name]
    return {"uid": str(os.geteuid()), "gid": str(os.getegid())}.get(row.default, row.default)


@pytest.mark.quick
def test_all_119_are_there_with_their_defaults(server):
    values = printed(server, [])
    assert len(ROWS) == 119
    expected = {row.name: shown_default(row) for row in ROWS}
    expected.update(
        # what this command line says
        print_config="True",
        default_proc_name="basic:app",
        chdir=os.path.realpath(server.folder),
    )
    values["chdir"] = os.path.realpath(values["chdir"])
    assert {name: values.get(name) for name in expected} == expected


def most(rows, give):
    """How many rounds it takes to use every value of each row."""
    return max(len(give(row)) for row in rows)


@pytest.mark.parametrize("number", range(most(FREE, accepted)))
def test_values_of_a_file_are_taken(server, number):
    """The first value of all settings at once, then the second ..."""
    chosen = {row: accepted(row)[min(number, len(accepted(row)) - 1)] for row in FREE}
    if os.geteuid() != 0:  # a user of one's own only
        chosen = {row: one for row, one in chosen.items() if row.kind not in ("user", "group")}
    server.write("gunicorn.conf.py", "".join(f"{row} = {text}\n" for row, (text, _) in chosen.items()))
    values = printed(server, [])
    for row, (text, shown) in chosen.items():
        if shown is not None and row.name not in ("print_config", "config"):
            assert values[row.name].startswith(shown) if shown == "<" else values[row.name] == shown, f"{row} = {text}"


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_values_of_the_wrong_kind_are_refused(server, row):
    for text in refused(row):
        server.write("gunicorn.conf.py", f"{row} = {text}\n")
        done = server.run(["--check-config", "basic:app"])
        assert done.returncode == 1, f"{row} = {text}"
        assert done.stderr.startswith(f"Invalid value for {row}: "), done.stderr
        assert "\nError: " in done.stderr


def flag_value(row):
    if row.name in WORDS:
        text, shown = WORDS[row.name][0]
        return text.strip("'"), shown
    return FLAG_VALUES[row.kind]


SPELLINGS = [(row, row.flags[number % len(row.flags)]) for number in (0, 1) for row in FREE if row.flags and row.name not in TLS]
FLAGS = [SPELLINGS[: len(SPELLINGS) // 2], SPELLINGS[len(SPELLINGS) // 2 :]]


@pytest.mark.parametrize("spellings", FLAGS, ids=["first", "last"])
@pytest.mark.parametrize("form", ["apart", "glued"])
def test_every_flag_is_taken(server, spellings, form):
    server.write("gunicorn.conf.py", "")
    arguments, expected = [], {}
    for row, flag in spellings:
        if row.name in ("config", "print_config") or (row.kind in ("user", "group") and os.geteuid() != 0):
            continue
        if row.kind == "bool":
            arguments.append(flag)
            expected[row.name] = "False" if flag.startswith("--no-s") else "True"
            continue
        text, shown = flag_value(row)
        arguments += [flag, text] if form == "apart" else [f"{flag}={text}"]
        if shown is not None:
            expected[row.name] = shown
    values = printed(server, arguments)
    assert {name: values[name] for name in expected} == expected


SILENT = [row for row in ROWS if row.wanted == "silent"]
NAMED = [row for row in ROWS if row.wanted == "named"]
NAMED_VALUES = {
    "http_protocols": ("'h1,h2'", "['h1', 'h2']"),
    "http2_cleartext": ("'both'", "both"),
    "raw_paste_global_conf": ("['a=b']", "['a=b']"),
    "dirty_apps": ("'mod:App'", "['mod:App']"),
    "dirty_workers": ("2", "2"),
    "paste": ("'app.ini'", "app.ini"),
    "protocol": ("'uwsgi'", "uwsgi"),
}


@pytest.mark.quick
def test_settings_without_effect_are_accepted_silently(server):
    server.start(conf="".join(f"{row} = {accepted(row)[-1][0]}\n" for row in SILENT))
    assert server.get("/").code == 200
    assert len(SILENT) == 20
    assert not server.log_contains("WARNING|ERROR"), server.log_tail()


@pytest.mark.quick
def test_settings_whose_effect_is_missed_are_named_in_one_line_each(server):
    rows = [row for row in NAMED if row.name not in ENDS_THE_START]
    server.start(conf="".join(f"{row} = {NAMED_VALUES[row.name][0]}\n" for row in rows))
    assert server.get("/").code == 200
    assert len(NAMED) == 7
    for row in rows:
        start = rf"\[WARNING\] Setting {row} = .* is not supported, ignored: \w"
        assert server.log_contains(start, times=1), row
    assert server.log_contains(r"\[WARNING\]", times=len(rows)), server.log_tail()


@pytest.mark.parametrize("name", sorted(ENDS_THE_START))
def test_without_these_nothing_could_be_served(server, name):
    server.write("gunicorn.conf.py", f"{BY_NAME[name]} = {NAMED_VALUES[name][0]}\n")
    done = server.run(["-b", "127.0.0.1:0", "basic:app"])
    assert done.returncode == 1
    assert f"Error: Setting {name} = {NAMED_VALUES[name][1]} is not supported: " in done.stderr


@pytest.mark.quick
def test_what_is_left_at_its_default_is_not_mentioned(server):
    values = {row: row.default for row in ROWS if row.kind == "int" and row.default.isdigit()}
    server.start(conf="".join(f"{row} = {value}\n" for row, value in values.items()) + "protocol = 'http'\npaste = None\n")
    assert server.get("/").code == 200
    assert not server.log_contains("WARNING|ERROR"), server.log_tail()
