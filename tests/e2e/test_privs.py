# SPDX-License-Identifier: MIT
"""--user, --group, --umask: workers drop what the master keeps."""

import grp
import os
import pathlib
import pwd
import re
import shutil

import pytest
import server as harness

pytestmark = pytest.mark.usefixtures("need_root")

NOBODY = pwd.getpwnam("nobody")
GROUP = grp.getgrgid(NOBODY.pw_gid)


@pytest.fixture(autouse=True)
def apps_for_everybody(server):
    server.copy_apps()


def ids(pid, name):
    line = re.search(rf"^{name}:\s+(.*)$", pathlib.Path(f"/proc/{pid}/status").read_text(), re.MULTILINE).group(1)
    return {int(number) for number in line.split()}


@pytest.mark.quick
@pytest.mark.parametrize("preload", [False, True])
def test_workers_run_as_the_user_the_master_as_root(server, preload):
    server.start(workers=2, args=["--user", "nobody", "--group", GROUP.gr_name, *(["--preload"] if preload else [])])
    for worker in server.workers():
        assert ids(worker, "Uid") == {NOBODY.pw_uid} and ids(worker, "Gid") == {NOBODY.pw_gid}
    assert ids(server.pid, "Uid") == {0}
    facts = server.get("/facts").json()
    assert facts["uid"] == NOBODY.pw_uid and facts["gid"] == NOBODY.pw_gid


@pytest.mark.parametrize("initgroups", [False, True])
def test_supplementary_groups_of_root_are_dropped(server, initgroups):
    own = set(os.getgrouplist("nobody", NOBODY.pw_gid))
    args = ["--user", "nobody", "--group", GROUP.gr_name, *(["--initgroups"] if initgroups else [])]
    server.start(args=args, extra_groups=[0, 4, 24])
    assert {0, 4, 24} <= ids(server.pid, "Groups")
    (worker,) = server.workers()
    assert ids(worker, "Groups") == (own if initgroups else {NOBODY.pw_gid})


def test_without_a_user_the_groups_stay(server):
    server.start(args=["--group", GROUP.gr_name], extra_groups=[0, 4])
    assert ids(server.workers()[0], "Groups") == {0, 4}


def test_numbers_are_taken_too(server):
    server.start(args=["--user", str(NOBODY.pw_uid), "--group", str(NOBODY.pw_gid)])
    assert server.get("/facts").json()["uid"] == NOBODY.pw_uid


def test_the_application_is_imported_as_the_user(server):
    server.write(
        "who.py",
        """
        import os
        IMPORTED_AS = os.getuid()
        from basic import answer
        def app(environ, start_response):
            return answer(start_response, "%d" % IMPORTED_AS)
        """,
    )
    server.start("who:app", args=["--user", "nobody"])
    assert server.get("/").text == str(NOBODY.pw_uid)


@pytest.mark.parametrize("more", [[], ["-k", "gthread", "--threads", "2"]])
def test_our_own_package_may_be_closed_to_the_user(server, more):
    package = server.folder / "python"
    shutil.copytree(os.environ.get("GUNWALE_PYTHONDIR") or harness.BUILD / "python", package)
    package.chmod(0o700)
    server.start(args=["--user", "nobody", *more], env={"GUNWALE_PYTHONDIR": package})
    assert server.get("/facts").json()["uid"] == NOBODY.pw_uid


def test_a_dropped_worker_is_still_watched_and_replaced(server):
    server.start(workers=1, args=["--user", "nobody", "--timeout", "1"])
    (old,) = server.workers()
    with server.raw(timeout=20) as client:
        client.send_request("GET", "/sleep?s=60")
        server.wait_log(rf"WORKER TIMEOUT \(pid:{old}\)")
        client.read_to_end()
    server.wait_status(lambda status: [row for row in status["workers"] if row["state"] == "serving" and row["pid"] != old])
    assert server.get("/").code == 200


def test_a_reload_works_with_dropped_privileges(server):
    server.start(workers=1, args=["--user", "nobody"])
    old = server.workers()
    server.signal("HUP")
    server.wait_status(lambda status: status["server"]["generation"] > 1 and len(status["workers"]) == 1)
    server.wait_workers(1)
    assert server.workers() != old and server.get("/").code == 200


@pytest.mark.parametrize("text, mode", [("027", 0o750), ("0o27", 0o750), ("18", 0o755), ("0", 0o777)])
def test_umask_of_the_unix_socket(server, text, mode):
    server.start(bind="unix:socket", args=["--umask", text])
    assert os.stat(server.folder / "socket").st_mode & 0o777 == mode


def test_the_unix_socket_belongs_to_the_user(server):
    server.start(bind="unix:socket", args=["--user", "nobody", "--umask", "007"])
    state = os.stat(server.folder / "socket")
    assert state.st_uid == NOBODY.pw_uid and state.st_mode & 0o777 == 0o770
