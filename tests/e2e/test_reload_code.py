# SPDX-License-Identifier: MIT
"""--reload: changed code is served, broken code is not, and no request is lost."""

import os
import shutil

import pytest
from load import Load
from rawclient import wait_until
from server import SLOW
from versioned import SOURCE

pytestmark = pytest.mark.quick

ENGINES = pytest.mark.parametrize("engine", ["inotify", "poll"])


def write_app(server, version):
    server.write("changing.py", SOURCE.format(version=version))


def wait_answer(server, beginning, timeout=20):
    """Until that version answers."""
    wait_until(lambda: server.get("/").text.startswith(beginning), timeout * SLOW, what=f"an answer {beginning!r}\n{server.log_tail()}")


def start(server, engine="auto", app="changing:app", **arguments):
    args = ["--reload", "--reload-engine", engine, *arguments.pop("args", ())]
    return server.start(app, args=args, **arguments)


@pytest.mark.parametrize("engine, preload", [("inotify", False), ("poll", False), ("auto", True)])
def test_changed_code_is_served_and_no_request_is_lost(server, engine, preload):
    write_app(server, "one")
    start(server, engine, workers=2, args=["--preload"] if preload else [])
    assert server.log_contains(r"\[WARNING\] Reloader is on\. Use in development only!$")
    with Load(server.address, clients=2, target="/") as load:
        mark = server.mark()
        write_app(server, "two")
        server.wait_log(r"\[INFO\] Worker reloading: .*/changing\.py modified$", since=mark)
        wait_answer(server, "two ")
        server.wait_status(lambda status: all(row["generation"] > 1 for row in status["workers"]))
    load.check()


def test_broken_code_is_not_served_and_mended_code_is(server):
    write_app(server, "one")
    start(server)
    old = server.workers()
    for number, text in enumerate(["def app(:\n", "raise RuntimeError('not today')\n"]):
        server.write("changing.py", text)
        server.wait_status(lambda status, number=number: status["reload"]["failed_total"] > number)
        assert server.get("/").text.startswith("one ")
        assert server.workers() == old
    server.wait_log(r"\[ERROR\] Reload failed, generation 1 goes on serving: RuntimeError: not today$")
    write_app(server, "two")
    wait_answer(server, "two ")


SYNTAX = ("def app(:\n", "SyntaxError")
MISSING = ("import not_yet_there\nfrom not_yet_there import app\n", "No module named 'not_yet_there'")


@pytest.mark.parametrize(
    "engine, preload, broken",
    [("inotify", False, SYNTAX), ("inotify", False, MISSING), ("poll", False, MISSING), ("inotify", True, MISSING)],
)
def test_code_that_is_broken_from_the_start_is_explained(server, engine, preload, broken):
    text, why = broken
    server.write("changing.py", text)
    start(server, engine, args=["--preload"] if preload else [])
    answer = server.get("/")
    assert answer.code == 500 and why in answer.text and answer.text.startswith("Traceback (most recent call last)")
    assert answer.header("Content-Type") == "text/plain; charset=utf-8"
    server.wait_log(why)
    if "not_yet_there" in text:  # what was missing appears; nobody touches what asked for it
        server.write("not_yet_there.py", SOURCE.format(version="two"))
    else:
        write_app(server, "two")
    wait_answer(server, "two ")


def test_an_application_that_is_not_there_yet(server):
    start(server, app="later:app")
    assert server.get("/").code == 500
    server.write("later.py", SOURCE.format(version="one"))
    wait_answer(server, "one ")


def test_modules_that_are_imported_later_are_watched(server):
    server.write("helper.py", "VALUE = 'one'\n")
    text = SOURCE.format(version="").replace("VERSION", "__import__('helper').VALUE").replace("__import__('helper').VALUE = ''", "")
    server.write("changing.py", text)
    start(server)
    assert server.get("/").text.startswith("one ")
    server.write("helper.py", "VALUE = 'two'\n")
    wait_answer(server, "two ")


@ENGINES
def test_extra_files_patterns_and_the_configuration_file(server, engine):
    write_app(server, "one")
    server.write("spec.yaml", "1")
    server.write("templates/deep/page.html", "1")
    server.write("unrelated.txt", "1")
    conf = "reload_extra_files = ['spec.yaml', 'templates/**/*.html']\nraw_env = ['STEP=one']\n"
    start(server, engine, conf=conf)
    generation = 1
    for name, text in (("spec.yaml", "2"), ("templates/deep/page.html", "2"), ("gunicorn.conf.py", conf.replace("one", "two"))):
        server.write("unrelated.txt", name)
        mark = server.mark()
        server.write(name, text)
        server.wait_log(rf"Worker reloading: .*/{name} modified$", since=mark)
        generation += 1
        server.wait_status(lambda status, wanted=generation: status["server"]["generation"] == wanted)
        server.wait_ready()
    assert not server.log_contains(r"unrelated\.txt")


def test_several_quick_saves_are_one_reload(server):
    names = [f"part{i}.py" for i in range(5)]
    for name in names:
        server.write(name, "VALUE = 1\n")
    server.write("changing.py", "".join(f"import {name[:-3]}\n" for name in names) + SOURCE.format(version="one"))
    start(server)
    for name in names:
        server.write(name, "VALUE = 2\n")
    write_app(server, "two")
    wait_answer(server, "two ")
    status = server.wait_status(lambda status: status["reload"]["state"] == "idle" and status["reload"]["succeeded_total"] >= 1)
    assert status["reload"]["succeeded_total"] <= 2  # on a slow machine the last save may come late


def test_a_file_that_is_written_in_place_and_a_link_to_one(server):
    real = server.write("elsewhere/changing.py", SOURCE.format(version="one"))
    (server.folder / "changing.py").symlink_to(real)
    start(server)
    assert server.get("/").text.startswith("one ")
    real.write_text(SOURCE.format(version="second"))  # in place, another length
    wait_answer(server, "second ")


def test_without_reload_nothing_is_watched(server):
    write_app(server, "one")
    server.start("changing:app")
    fds = [os.readlink(f"/proc/{server.pid}/fd/{fd}") for fd in os.listdir(f"/proc/{server.pid}/fd")]
    assert "anon_inode:inotify" not in fds
    assert not server.log_contains("Reloader is on")


def test_a_reload_can_turn_it_on_and_off(server):
    write_app(server, "one")
    server.start("changing:app", conf="reload = False\n")
    server.write("gunicorn.conf.py", "reload = True\n")
    server.signal("HUP")
    server.wait_status(lambda status: status["server"]["generation"] == 2)
    write_app(server, "two")
    wait_answer(server, "two ")
    server.write("gunicorn.conf.py", "reload = False\n")
    server.wait_status(lambda status: status["server"]["generation"] == 4)
    mark = server.mark()
    write_app(server, "three")
    server.signal("HUP")
    wait_answer(server, "three ")
    assert not server.log_contains("Worker reloading", since=mark)


def test_a_folder_that_is_replaced_is_watched_again(server):
    folder = server.folder / "shop"

    def unpack(version):
        folder.mkdir()
        (folder / "changing.py").write_text(SOURCE.format(version=version))

    unpack("one")
    start(server, "inotify", app="shop.changing:app")
    shutil.rmtree(folder)
    unpack("two")
    wait_answer(server, "two ")
    folder.rename(server.folder / "shop.old")
    unpack("three")
    wait_answer(server, "three ")
    (folder / "changing.py").write_text(SOURCE.format(version="four"))
    wait_answer(server, "four ")


def test_the_servers_own_log_is_no_cure_for_broken_code(server):
    write_app(server, "one")
    start(server, "inotify")
    server.write("changing.py", "def app(:\n")
    server.wait_status(lambda status: status["reload"]["failed_total"] == 1)
    server.write("notes", "of no interest")
    mark = server.mark()
    server.signal("USR1")
    server.wait_log(r"Handling signal: usr1$", since=mark)
    server.write("later.py", "")
    server.wait_log(r"\[INFO\] Worker reloading: .*/later\.py modified$", since=mark)
    assert not server.log_contains(r"Worker reloading: .*/(log|notes) modified")
