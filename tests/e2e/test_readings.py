# SPDX-License-Identifier: MIT
"""What is known of memory where rights are missing: each reading has a second way, and what has none is null."""

import os
import shutil

import pytest
import server as harness
from memcgroup import memory_cgroup  # noqa: F401

MB = 1 << 20
# What Docker leaves to root: no SYS_PTRACE, no SYS_ADMIN, no SYS_RESOURCE.
DOCKER = (
    "-all,+chown,+dac_override,+fowner,+fsetid,+kill,+setgid,+setuid,+setpcap,+net_bind_service,+net_raw,+sys_chroot,"
    "+mknod,+audit_write,+setfcap"
)


def start(server, wrapper, args=(), **more):
    """The program behind setpriv, with a user's folder to write to."""
    server.copy_apps()
    server.folder.chmod(0o777)
    arguments = [*wrapper, harness.PROGRAM, "--status-file", server.status_path, "--status-interval", "1", "-b", "127.0.0.1:0"]
    server.spawn([*arguments[1:], "--workers", "1", *args, "eater:app"], program=shutil.which(wrapper[0]), **more)
    server.wait_listening()
    server.wait_ready()
    return server


def check_worker(status):
    (row,) = status["workers"]
    memory = row["memory"]
    return (
        memory is not None
        and memory["rss_bytes"]
        and memory["uss_bytes"]
        and memory["uss_bytes"] <= memory["pss_bytes"] <= memory["rss_bytes"] * 1.1
        and row["sockets"] is not None
    )


@pytest.mark.usefixtures("need_root")
@pytest.mark.parametrize(
    "wrapper,args",
    [
        (["setpriv", "--reuid", "12345", "--regid", "12345", "--clear-groups", "--"], []),
        (["setpriv", "--reuid", "12345", "--regid", "12345", "--clear-groups", "--bounding-set", "-all", "--no-new-privs", "--"], []),
        (["setpriv", "--bounding-set", DOCKER, "--"], []),
        (["setpriv", "--bounding-set", DOCKER, "--"], ["--user", "12345", "--group", "12345"]),
    ],
    ids=["unprivileged", "no_capabilities", "docker", "docker_dropped_user"],
)
def test_a_worker_reports_itself_whatever_its_master_may(server, wrapper, args):
    start(server, wrapper, args)
    status = server.wait_status(check_worker, timeout=20)
    assert status["memory"]["sockets"]["method"] == "agents"
    assert status["memory"]["master_rss_bytes"] and status["memory"]["template_rss_bytes"]
    assert status["memory"]["machine"]["total_bytes"]


@pytest.mark.usefixtures("need_root")
def test_budgets_work_under_a_dropped_user_with_dockers_capabilities(memory_cgroup, server):  # noqa: F811
    cgroup = memory_cgroup(256 * MB)
    start(
        server,
        ["setpriv", "--bounding-set", DOCKER, "--"],
        ["--user", "12345", "--group", "12345"],
        preexec_fn=cgroup.enter,
    )
    assert server.get("/eat?mb=1000&rate=300").code == 500
    assert cgroup.oom_kills == 0
    status = server.wait_status(lambda status: status["totals"]["requests_aborted_total"] == 1)
    assert status["memory"]["container"]["is_limited"] is True and status["exits"] == []


def test_what_cannot_be_read_is_null_and_never_zero(server):
    """Without a controller (hidden by a mount of nothing) there are no figures of a container."""
    if os.geteuid() != 0 or not shutil.which("unshare"):
        pytest.skip("needs root and unshare")
    server.copy_apps()
    script = 'mount -t tmpfs none /sys/fs/cgroup && exec "$@"'
    arguments = ["-m", "sh", "-c", script, "sh", harness.PROGRAM]
    arguments += ["--status-file", server.status_path, "--status-interval", "1", "-b", "127.0.0.1:0", "--workers", "1", "eater:app"]
    server.spawn(arguments, program=shutil.which("unshare"))
    server.wait_listening()
    server.wait_ready()
    container = server.wait_status(check_worker, timeout=20)["memory"]["container"]
    for name in ("limit_bytes", "current_bytes", "anon_bytes", "sock_bytes", "oom_kill_total", "peak_bytes"):
        assert container[name] is None, name
    assert container["is_limited"] is False
    assert server.get("/").code == 200
