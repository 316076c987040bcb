# SPDX-License-Identifier: MIT
"""Fixtures of the end-to-end tests, and the rule that a failed test keeps its folder."""

import ctypes
import os
import pathlib
import subprocess
import sys
import tempfile

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

import server as harness  # noqa: E402

PR_SET_CHILD_SUBREAPER = 36


def pytest_configure(config):
    config.addinivalue_line("markers", "quick: part of the reduced set (sanitizers, other Pythons)")
    config.addinivalue_line("markers", "slow: soak tests and long waits, run by hand")
    if not harness.PROGRAM.exists():
        raise pytest.UsageError(f"{harness.PROGRAM} does not exist: build first, or set GUNWALE_BUILD")
    # Orphans of a killed master come to us and can be reaped; otherwise they would stay as zombies in some containers.
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


@pytest.hookimpl(tryfirst=True, hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    if call.when == "call":
        item.call_report = outcome.get_result()


def keep_servers(has_failed):
    """Makes servers, finishes them all, and removes their folders unless something went wrong."""
    base = pathlib.Path(tempfile.mkdtemp(prefix="gunwale-test-"))
    base.chmod(0o755)  # workers of another user read it
    made = []

    def make():
        made.append(harness.Server(base / f"server{len(made)}"))
        made[-1].folder.chmod(0o777)
        return made[-1]

    yield make
    error = None
    for one in made:
        try:
            one.finish()
        except BaseException as caught:  # noqa: B902
            error = error or caught
            one.kill_all()
    if has_failed() or error:
        print(f"\nkept: {base}")
        for one in made:
            print(f"--- {one.folder}/log ---\n{one.log_tail() if one.log_path.exists() else ''}")
    else:
        for one in made:
            one.remove()
        base.rmdir()
    if error:
        raise error


@pytest.fixture
def servers(request):
    """Makes servers, as many as a test needs."""

    def has_failed():
        report = getattr(request.node, "call_report", None)
        return report is None or report.failed

    yield from keep_servers(has_failed)


@pytest.fixture(scope="module")
def module_servers(request):
    """The same for servers that all tests of a file share."""
    before = request.session.testsfailed
    yield from keep_servers(lambda: request.session.testsfailed > before)


@pytest.fixture
def server(servers):
    """The one server of a test, not yet started."""
    return servers()


@pytest.fixture(scope="session")
def embedded_python():
    """The Python that gunwale-worker embeds (what configure was told), or its virtual environment."""
    if os.environ.get("GUNWALE_TEST_VENV"):
        return os.path.join(os.environ["GUNWALE_TEST_VENV"], "bin", "python3")
    makefile = harness.BUILD / "Makefile"
    if makefile.exists():
        for line in makefile.read_text().splitlines():
            if line.startswith("PYTHON_EXECUTABLE = "):
                return line.split(" = ", 1)[1]
    return os.environ.get("PYTHON", sys.executable)


@pytest.fixture(scope="session")
def embedded_has(embedded_python):
    """embedded_has("flask"): whether the embedded Python can import it."""

    def ask(module):
        return subprocess.run([embedded_python, "-c", f"import {module}"], capture_output=True, check=False).returncode == 0

    return ask


@pytest.fixture(scope="session")
def packages():
    """
    A virtual environment with what packages.txt lists, made by tests/run.sh for the Python that is embedded: start a server
    with env={"VIRTUAL_ENV": packages}.
    """
    folder = os.environ.get("GUNWALE_PACKAGES")
    if not folder:
        pytest.skip("needs the packages of packages.txt: GUNWALE_PACKAGES names no virtual environment")
    return folder


@pytest.fixture
def need_root():
    if os.geteuid() != 0:
        pytest.skip("needs root")
