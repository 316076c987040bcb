# SPDX-License-Identifier: MIT
"""Every environment variable that gunicorn reads or writes, and ours on top."""

import os

import pytest
from test_cli import printed

pytestmark = pytest.mark.quick


@pytest.mark.parametrize(
    "env, name, value",
    [
        ({"PORT": "5001"}, "bind", "['0.0.0.0:5001']"),
        ({"WEB_CONCURRENCY": "3"}, "workers", "3"),
        ({"FORWARDED_ALLOW_IPS": "*"}, "forwarded_allow_ips", "['*']"),
        ({"SENDFILE": "no"}, "sendfile", "False"),
        ({"SENDFILE": "Yes"}, "sendfile", "True"),
        ({"GUNICORN_CMD_ARGS": "-w 4"}, "workers", "4"),
        ({"GUNWALE_CMD_ARGS": "-w 5", "GUNICORN_CMD_ARGS": "-w 4"}, "workers", "5"),
        ({"GUNWALE_CMD_ARGS": "-b :2", "GUNICORN_CMD_ARGS": "-b :1"}, "bind", "[':2']"),
        ({"GUNWALE_CMD_ARGS": "--name 'two words'"}, "proc_name", "two words"),
    ],
)
def test_a_variable_gives_a_setting(server, env, name, value):
    assert printed(server, [], env)[name] == value


def test_the_order_of_the_sources(server):
    server.write("other.py", "threads = 7\n")
    server.write("third.py", "threads = 8\n")
    env = {"GUNICORN_CMD_ARGS": "-c other.py --timeout 5"}
    assert printed(server, [], env)["threads"] == "7"
    env["GUNWALE_CMD_ARGS"] = "-c third.py --timeout 6"
    values = printed(server, [], env)
    assert (values["threads"], values["timeout"]) == ("8", "6")
    assert printed(server, ["-t", "9"], env)["timeout"] == "9"


@pytest.mark.parametrize(
    "env, code, sentence",
    [
        ({"GUNWALE_CMD_ARGS": "-n 'x"}, 1, "Error: GUNWALE_CMD_ARGS: No closing quotation"),
        ({"GUNWALE_CMD_ARGS": "--nonsense"}, 2, "unrecognized arguments: --nonsense"),
        ({"WEB_CONCURRENCY": "many"}, 1, "The environment variable WEB_CONCURRENCY must be a whole number, not 'many'"),
        ({"PORT": "http"}, 1, "'http' is not a valid port number"),
    ],
)
def test_a_variable_that_means_nothing_is_named(server, env, code, sentence):
    done = server.run(["basic:app"], env=env)
    assert done.returncode == code and sentence in done.stderr, done.stderr


def test_script_name_is_taken_off_the_path_of_each_request(server):
    server.start(env={"SCRIPT_NAME": "/under"})
    environ = server.get("/under/environ").json()
    assert (environ["SCRIPT_NAME"], environ["PATH_INFO"]) == ("/under", "/environ")


def test_a_link_to_the_folder_of_the_start_keeps_its_name(server):
    real = server.folder / "real"
    real.mkdir()
    link = server.folder / "link"
    link.symlink_to(real)
    done = server.run(["--print-config", "basic:app"], env={"PWD": link}, cwd=link)
    assert f"= {link}\n" in done.stdout
    done = server.run(["--print-config", "basic:app"], env={"PWD": "/elsewhere"}, cwd=link)
    assert f"= {real}\n" in done.stdout


def test_what_the_application_finds(server):
    server.write(
        "env.py",
        """
        import json, os
        def app(environ, start_response):
            body = json.dumps(dict(os.environ)).encode()
            start_response("200 OK", [("Content-Length", str(len(body)))])
            return [body]
        """,
    )
    server.start("env:app", args=["-e", "ONE=1", "--env", "TWO=a=b"], env={"OTHERS": "stay", "GUNICORN_CMD_ARGS": "-w 1"})
    found = server.get("/").json()
    assert (found["ONE"], found["TWO"], found["OTHERS"], found["GUNICORN_CMD_ARGS"]) == ("1", "a=b", "stay", "-w 1")
    assert found["SERVER_SOFTWARE"].startswith("gunwale/")
    assert not {"LISTEN_FDS", "LISTEN_PID", "GUNICORN_FD"} & set(found)
    assert os.environ.get("SERVER_SOFTWARE") is None
