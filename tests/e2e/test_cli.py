# SPDX-License-Identifier: MIT
"""The command line: forms that argparse takes, exit codes, messages."""

import os
import re

import pytest

pytestmark = pytest.mark.quick


def printed(server, arguments, env=None, code=0):
    """{name: value} of --print-config"""
    result = server.run([*arguments, "--print-config", "basic:app"], env=env)
    assert result.returncode == code, result
    values = {}
    for line in result.stdout.splitlines():
        name, _, value = line.partition("=")
        values[name.strip()] = value.strip()
    return values


@pytest.mark.parametrize("option", ["-v", "--version"])
def test_version(server, option):
    result = server.run([option])
    assert result.returncode == 0
    assert re.fullmatch(r"gunwale \(version \d+\.\d+\.\d+\S*\)\n", result.stdout), result


@pytest.mark.parametrize("option", ["-h", "--help"])
def test_help(server, option):
    result = server.run([option])
    assert result.returncode == 0
    assert result.stdout.startswith("usage: gunwale [OPTIONS] [APP_MODULE]")
    for word in ("--bind", "--workers", "--status-file", "--max-requests-jitter"):
        assert word in result.stdout


@pytest.mark.parametrize(
    "arguments",
    [
        ["-w3"],
        ["-w", "3"],
        ["-w=3"],
        ["--workers", "3"],
        ["--workers=3"],
        ["--workers", "9", "--workers", "3"],
    ],
)
def test_forms_of_an_option(server, arguments):
    assert printed(server, arguments)["workers"] == "3"


def test_unambiguous_abbreviations(server):
    values = printed(server, ["--timeo", "9", "--max-requests-j=5", "--prel"])
    assert (values["timeout"], values["max_requests_jitter"], values["preload_app"]) == ("9", "5", "True")


def test_last_one_wins_and_bind_adds(server):
    values = printed(server, ["-w", "2", "-w", "4", "-b", "127.0.0.1:0", "--bind=unix:/tmp/x"])
    assert values["workers"] == "4"
    assert values["bind"] == "['127.0.0.1:0', 'unix:/tmp/x']"


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["--no-such-option", "basic:app"], r"unrecognized arguments: --no-such-option"),
        (["-w", "many", "basic:app"], r"argument -w/--workers: invalid \S+ value: 'many'"),
        (["-w"], r"argument -w/--workers: expected one argument"),
        (["--worker", "3", "basic:app"], r"ambiguous option: --worker could match"),
        (["basic:app", "-w", "3", "extra"], r"unrecognized arguments: extra"),
    ],
)
def test_usage_errors_exit_2(server, arguments, message):
    result = server.run(arguments)
    assert result.returncode == 2, result
    assert result.stderr.startswith("usage: gunwale [OPTIONS] [APP_MODULE]")
    assert re.search(r"gunwale: error: " + message, result.stderr), result.stderr


def test_further_positionals_behind_the_first_are_ignored(server):
    assert server.run(["-w3", "basic:app", "extra", "--check-config"]).returncode == 0


def test_no_application_exits_1(server):
    result = server.run([])
    assert result.returncode == 1
    assert "Error: No application module specified." in result.stderr


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["-w", "-1"], "Value must be positive: -1"),
        (["--chdir", "/no/such/folder"], "/no/such/folder"),
        (["-b", "127.0.0.1:port"], "'port' is not a valid port number."),
        (["-c", "/no/such/file.py"], "'/no/such/file.py' doesn't exist"),
        (["-u", "no-such-user"], "no-such-user"),
        (["-k", "no-such-class"], "no-such-class"),
    ],
)
def test_configuration_errors_exit_1(server, arguments, message):
    result = server.run([*arguments, "basic:app"])
    assert result.returncode == 1, result
    assert message in result.stderr, result.stderr
    assert "Error: " in result.stderr


def test_print_config_is_sorted_and_exits_0(server):
    result = server.run(["--print-config", "basic:app"])
    assert result.returncode == 0, result
    # What is in force of the budgets comes behind it, in words.
    lines = [line for line in result.stdout.splitlines() if not line.startswith("# ")]
    names = [line.split("=")[0].strip() for line in lines]
    assert names == sorted(names)
    for line in lines:
        assert re.match(r"[a-z0-9_]+ {1,34}= ", line), line
    assert "loglevel" in names and "workers" in names


# ---- --check-config


def test_check_config_of_a_good_application_is_silent(server):
    result = server.run(["--check-config", "basic:app"])
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")


def test_check_config_of_a_broken_application(server):
    result = server.run(["--check-config", "broken:app"])
    assert result.returncode == 1, result
    assert "Error while loading the application:" in result.stderr
    assert "RuntimeError: this application is broken" in result.stderr


def test_check_config_of_a_broken_file(server):
    server.write("gunicorn.conf.py", "workers = 1 +\n")
    result = server.run(["--check-config", "basic:app"])
    assert result.returncode == 1
    assert "Failed to read config file" in result.stderr and "SyntaxError" in result.stderr


# ---- applications that cannot be loaded


@pytest.mark.parametrize(
    "app, code, message",
    [
        ("broken:app", 3, "RuntimeError: this application is broken"),
        ("no_such_module:app", 3, "No module named 'no_such_module'"),
        ("basic:no_such_attribute", 4, "Failed to find attribute 'no_such_attribute' in 'basic'."),
        ("factory:nothing", 4, "Failed to find application object: 'nothing'"),
        ("factory:number", 4, "Application object must be callable."),
        ("factory:gives_nothing()", 4, "Failed to find application object"),
        ("factory:Holder.app", 4, "Failed to parse 'Holder.app' as an attribute name or function call."),
        ("factory:create_app(1, 2, 3, 4)", 4, "takes from 0 to 3 positional arguments but 4 were given"),
    ],
)
def test_application_that_does_not_load_stops_the_server(server, app, code, message):
    result = server.run(["-b", "127.0.0.1:0", app])
    assert result.returncode == code, result
    assert message in result.stderr
    reason = "Worker failed to boot." if code == 3 else "App failed to load."
    assert re.search(r"\[ERROR\] Shutting down: Master\n", result.stderr), result.stderr
    assert re.search(rf"\[ERROR\] Reason: {re.escape(reason)}\n", result.stderr), result.stderr


@pytest.mark.parametrize(
    "app, expected",
    [
        ("factory", {"name": "application", "debug": False, "items": []}),
        ("factory:create_app()", {"name": "default", "debug": False, "items": []}),
        ("factory:create_app('x', debug=True)", {"name": "x", "debug": True, "items": []}),
        ('factory:create_app("x, y", items=[1, "(2)", {"a": None}])', {"name": "x, y", "debug": False, "items": [1, "(2)", {"a": None}]}),
    ],
)
def test_forms_of_the_application(server, app, expected):
    server.start(app)
    assert server.get("/").json() == expected


def test_application_in_the_current_folder(server):
    server.write(
        "here.py",
        """
        def application(environ, start_response):
            start_response("200 OK", [("Content-Length", "4")])
            return [b"here"]
        """,
    )
    server.start("here")
    assert server.get("/").body == b"here"


def test_a_folder_whose_name_is_not_utf8_is_refused(server):
    folder = os.fsencode(server.folder) + b"/caf\xe9"
    os.mkdir(folder)
    done = server.run(["--check-config", "basic:app"], cwd=folder)
    assert (done.returncode, done.stderr) == (1, "\nError: The directory of chdir is not valid UTF-8\n")


@pytest.mark.parametrize("arguments", [["basic:app", "-n", b"caf\xe9"], [b"caf\xe9:app"], ["-c", b"caf\xe9.py", "basic:app"]])
def test_arguments_that_are_not_utf8_are_refused(server, arguments):
    done = server.run(["--check-config", *map(os.fsdecode, arguments)], errors="replace")
    assert done.returncode == 1
    assert "Error: " in done.stderr


# ---- sockets that cannot be bound


def test_port_in_use_is_tried_five_times_then_exit_1(server, servers):
    server.start()
    second = servers()
    second.spawn(["-b", f"127.0.0.1:{server.address[1]}", "basic:app"])
    second.wait_exit(1, timeout=20)
    assert second.log_contains(r"\[ERROR\] Connection in use: \('127\.0\.0\.1', \d+\)")
    assert second.log_contains(r"\[ERROR\] connection to \('127\.0\.0\.1', \d+\) failed: ", times=5)
    assert second.log_contains(r"\[ERROR\] Can't connect to \('127\.0\.0\.1', \d+\)$", times=1)
