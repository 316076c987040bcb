# SPDX-License-Identifier: MIT
"""Processes from outside: what is linked, what is open, what stays."""

import os
import resource
import subprocess

import pytest
import server as harness
from load import Load
from rawclient import wait_until
from server import SLOW, open_fds, parent_of, processes_of_session, title

pytestmark = pytest.mark.quick


def names_shown(program):
    """The dynamic symbols that a program defines."""
    listed = subprocess.run(["nm", "-D", "--defined-only", program], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=True)
    return {line.split()[-1].partition("@")[0] for line in listed.stdout.splitlines()}


def test_no_python_in_the_master(server):
    server.start(workers=1)
    worker = server.workers()[0]
    assert "libpython" not in harness.libraries(server.pid)
    # Python is in a library beside the worker's program, or whole in it.
    assert "libpython" in harness.libraries(worker) or "PyObject_Call" in names_shown(f"/proc/{worker}/exe")
    assert "PyObject_Call" not in names_shown(f"/proc/{server.pid}/exe")
    linked = subprocess.run(["ldd", harness.PROGRAM], stdout=subprocess.PIPE, text=True, check=True).stdout
    assert "libuv" in linked and "python" not in linked


def test_the_master_is_the_parent_of_all(server):
    server.start(workers=3)
    pids = processes_of_session(server.pid)
    assert len(pids) == 5, "master, template, three workers"
    assert all(parent_of(pid) == server.pid for pid in pids if pid != server.pid)


def test_children_of_the_application_inherit_nothing(server):
    server.start(workers=1)
    facts = server.get("/facts").json()
    assert sorted(facts["child_fds"]) == [0, 1, 2, 3], "3 is the folder that ls itself reads"


@pytest.mark.parametrize("preload", [False, True])
def test_no_descriptor_is_leaked_by_recycling(server, preload):
    server.start(workers=2, args=["--max-requests", "20", *(["--preload"] if preload else [])])

    def settled():
        """Open files of each kind of process; None when one of them left meanwhile."""
        server.wait_workers(2)
        pids = {"master": server.pid, "template": server.template(), "worker": server.workers()[0]}
        try:
            return {name: open_fds(pid) for name, pid in pids.items()}
        except FileNotFoundError:
            return None

    before = wait_until(settled)
    with Load(server.address, clients=4) as load:
        wait_until(lambda: len(load.answers) > 50, 60 * harness.SLOW)
        load.stop()
    load.check()

    def same():
        after = settled()
        return after and all(len(after[name]) <= len(before[name]) for name in before)

    try:
        wait_until(same)
    except AssertionError:
        raise AssertionError(f"before {before}\nafter {settled()}") from None


def test_no_descriptor_is_leaked_by_reloads(server):
    server.start(workers=2)
    before = open_fds(server.pid)
    for _ in range(5):
        generation = server.status()["server"]["generation"]
        server.signal("HUP")
        server.wait_status(lambda status, old=generation: status["server"]["generation"] > old)
        server.wait_workers(2)
    wait_until(lambda: len(open_fds(server.pid)) <= len(before))
    wait_until(lambda: len(processes_of_session(server.pid)) == 4)


def test_no_descriptor_is_leaked_by_connections(server):
    server.start(workers=1)
    (worker,) = server.workers()
    server.get("/")
    before = open_fds(worker)
    clients = [server.raw() for _ in range(100)]
    for number, client in enumerate(clients):
        if number % 3 == 0:
            client.request()
        elif number % 3 == 1:
            client.send(b"GET / HT")
    for client in clients:
        client.close()
    assert server.get("/").code == 200
    wait_until(lambda: len(open_fds(worker)) <= len(before))


def test_no_zombies(server):
    server.start(workers=2, args=["--max-requests", "5"])
    with Load(server.address, clients=2) as load:
        wait_until(lambda: len(load.answers) > 10, 60 * SLOW)
        load.stop()
    server.wait_workers(2)
    wait_until(lambda: "Z" not in processes_of_session(server.pid).values())


def test_the_master_stays_small(server):
    server.start(workers=2)
    if harness.has_sanitizer(server.pid):
        pytest.skip("sanitizers need memory of their own")
    assert harness.rss_bytes(server.pid) < 12 * 1024 * 1024


def test_process_titles(server):
    server.start(workers=1, args=["--name", "my-site"])

    assert title(server.pid) == "gunwale: master [my-site]"
    assert title(server.workers()[0]) == "gunwale: worker [my-site]"
    assert "[my-site]" in title(server.template())


def test_the_environment_of_workers_survives_the_titles(server):
    server.start(env={"KEPT": "x" * 2000})
    assert server.get("/facts").json()["env"]["KEPT"] == "x" * 2000


def test_starts_from_another_folder_through_a_link(server):
    """Found through PATH and a symbolic link, as /usr/local/bin often has."""
    link = server.folder / "bin" / "gunwale"
    link.parent.mkdir()
    link.symlink_to(harness.PROGRAM)
    server.spawn(
        ["-b", "127.0.0.1:0", "basic:app"],
        program=link,
        env={"PATH": f"{link.parent}:{os.environ['PATH']}"},
    )
    server.wait_listening()
    assert server.get("/").body == b"hello"


def test_a_virtual_environment_is_used(server, embedded_python):
    """VIRTUAL_ENV decides over the compiled-in Python's own packages."""
    venv = server.folder / "venv"
    made = subprocess.run([embedded_python, "-m", "venv", "--without-pip", venv], capture_output=True, check=False)
    if made.returncode != 0:
        pytest.skip("the embedded Python cannot make a virtual environment (Debian: python3-venv)")
    (site,) = venv.glob("lib/python3*/site-packages")
    (site / "only_in_venv.py").write_text("from basic import app\n")
    server.start("only_in_venv:app", env={"VIRTUAL_ENV": venv})
    facts = server.get("/facts").json()
    assert facts["prefix"] == str(venv) and facts["executable"].startswith(str(venv))
    assert facts["base_prefix"] != facts["prefix"]
    assert facts["python_child"] == "True\n"


def test_the_master_may_open_more_files_than_its_workers(server):
    """Two for each worker; applications keep the limit that they were started with."""
    server.start(preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (100, 1000)))
    assert resource.prlimit(server.pid, resource.RLIMIT_NOFILE) == (1000, 1000)
    assert resource.prlimit(server.workers()[0], resource.RLIMIT_NOFILE) == (100, 1000)
