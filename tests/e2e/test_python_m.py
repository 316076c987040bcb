# SPDX-License-Identifier: MIT
"""python -m gunwale, and python /path/of/gunwale."""

import os
import pathlib
import shutil
import subprocess
import sys

import pytest
from server import BUILD, PROGRAM

pytestmark = pytest.mark.quick


def run(server, arguments, python=sys.executable, env=None, package=BUILD / "python"):
    environment = server.environment(env)
    environment["PYTHONPATH"] = f"{package}:{environment['PYTHONPATH']}"
    return subprocess.run(
        [python, "-m", "gunwale", *arguments],
        cwd=server.folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_it_is_the_program_beside_the_package(server):
    direct = server.run(["--version"])
    result = run(server, ["--version"])
    assert (result.returncode, result.stdout) == (0, direct.stdout), result.stderr


def test_arguments_and_exit_code_are_passed_on(server):
    server.write("two words.py", "workers = 7\n")
    result = run(server, ["-c", "two words.py", "--print-config", "basic:app"])
    assert result.returncode == 0 and "workers" in result.stdout, result.stderr
    assert [line.split()[-1] for line in result.stdout.splitlines() if line.split()[0] == "workers"] == ["7"]
    assert run(server, ["--no-such-option"]).returncode == 2


def test_it_serves_with_the_process_that_was_started(server):
    env = {"PYTHONPATH": f"{BUILD / 'python'}:{server.apps}"}
    server.status_path = server.folder / "status.json"
    server.spawn(
        ["-m", "gunwale", "--bind", "127.0.0.1:0", "--status-file", server.status_path, "basic:app"],
        env=env,
        program=sys.executable,
    )
    server.wait_listening()
    server.wait_ready()
    assert server.get("/").body == b"hello"
    server.stop()


@pytest.fixture
def virtual_env(server):
    """An environment with a module of its own, as `python -m venv` makes it, but in no time."""
    folder = server.folder / "venv"
    version = f"python{sys.version_info[0]}.{sys.version_info[1]}"
    (folder / "bin").mkdir(parents=True)
    (folder / "lib" / version / "site-packages").mkdir(parents=True)
    (folder / "lib" / version / "site-packages" / "only_in_venv.py").write_text("from basic import app\n")
    base = os.path.realpath(sys.executable)
    (folder / "bin" / "python3").symlink_to(base)
    (folder / "pyvenv.cfg").write_text(f"home = {os.path.dirname(base)}\ninclude-system-site-packages = false\n")
    return folder


def embeds_this_python(server):
    server.write("version_probe.py", "import sys\nprint(sys.version_info[:2])\nfrom basic import app\n")
    return str(sys.version_info[:2]) in server.run(["--check-config", "version_probe:app"]).stdout


def test_packages_are_those_of_the_interpreter_that_was_called(server, virtual_env):
    if not embeds_this_python(server):
        pytest.skip("the embedded Python is of another version than this one")
    check = ["--check-config", "only_in_venv:app"]
    assert run(server, check).returncode == 1, "without the environment the module is nowhere"
    result = run(server, check, python=str(virtual_env / "bin" / "python3"))
    assert result.returncode == 0, result.stderr
    # A shell that has activated one environment, and calls the Python of none.
    result = run(server, check, python=os.path.realpath(sys.executable), env={"VIRTUAL_ENV": virtual_env})
    assert result.returncode == 1, result.stdout


def test_without_a_program_beside_it_path_is_searched(server):
    package = server.folder / "elsewhere" / "python"
    shutil.copytree(pathlib.Path(BUILD / "python").resolve() / "gunwale", package / "gunwale")
    found = run(server, ["--version"], package=package, env={"PATH": f"{PROGRAM.parent}:{os.environ['PATH']}"})
    assert found.returncode == 0 and "gunwale" in found.stdout, found.stderr
    missing = run(server, ["--version"], package=package, env={"PATH": "/nowhere"})
    assert missing.returncode == 1 and "neither beside its Python package nor on PATH" in missing.stderr


def test_installed_it_is_found_under_the_prefix(server):
    prefix = server.folder / "prefix"
    package = prefix / "share" / "gunwale" / "python"
    shutil.copytree(pathlib.Path(BUILD / "python").resolve() / "gunwale", package / "gunwale")
    (prefix / "bin").mkdir()
    (prefix / "bin" / "gunwale").symlink_to(PROGRAM)
    result = run(server, ["--version"], package=package, env={"PATH": "/nowhere"})
    assert result.returncode == 0 and "gunwale" in result.stdout, result.stderr


def run_by_python(server, arguments, python=sys.executable, env=None):
    return subprocess.run(
        [python, PROGRAM, *arguments], cwd=server.folder, env=server.environment(env), capture_output=True, text=True, check=False
    )


def test_python_starts_the_program_itself(server, virtual_env):
    direct = server.run(["--version"])
    assert run_by_python(server, ["--version"]).stdout == direct.stdout
    assert run_by_python(server, ["--no-such-option"]).returncode == 2
    if embeds_this_python(server):
        done = run_by_python(server, ["--check-config", "only_in_venv:app"], python=virtual_env / "bin" / "python3")
        assert done.returncode == 0, done.stderr


def test_started_by_python_it_serves_under_the_same_pid(server):
    server.status_path = server.folder / "status.json"
    arguments = [PROGRAM, "--bind", "127.0.0.1:0", "--status-file", server.status_path, "basic:app"]
    server.spawn(arguments, program=sys.executable)
    server.wait_listening()
    server.wait_ready()
    assert server.get("/").body == b"hello"
    server.stop()
