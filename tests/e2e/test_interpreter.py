# SPDX-License-Identifier: MIT
"""Which Python: --python, an environment beside the program, VIRTUAL_ENV, conda; and what is said when it does not fit."""

import os
import shutil

import pytest
from server import PROGRAM

pytestmark = pytest.mark.quick

PROBE = """
import json, os, sys
print(json.dumps({"prefix": sys.prefix, "executable": sys.executable, "base": sys.base_prefix, "argv": sys.argv}))
from basic import app
"""


@pytest.fixture
def version(embedded_python):
    """"3.11" of the embedded Python."""
    return os.popen(f"{embedded_python} -c 'import sys; print(*sys.version_info[:2], sep=chr(46))'").read().strip()


@pytest.fixture
def environments(server, embedded_python, version):
    """make("name") is a virtual environment with the module only_in_NAME."""
    server.write("probe.py", PROBE)
    base = os.path.realpath(embedded_python)

    def make(name, says=None):
        folder = server.folder / name
        packages = folder / "lib" / f"python{version}" / "site-packages"
        packages.mkdir(parents=True)
        (packages / f"only_in_{name}.py").write_text("from probe import app\n")
        (folder / "bin").mkdir()
        (folder / "bin" / "python3").symlink_to(base)
        (folder / "pyvenv.cfg").write_text(f"home = {os.path.dirname(base)}\nversion = {says or version + '.1'}\n")
        return folder

    return make


def check(server, module, *arguments, env=None, program=None):
    if program is None:
        return server.run([*arguments, "--check-config", f"{module}:app"], env=env)
    server.spawn([*arguments, "--check-config", f"{module}:app"], env=env, program=program)
    server.process.wait(60)
    server.expected_exit = server.process.returncode
    return server.process


@pytest.mark.parametrize("form", ["{folder}", "{folder}/", "{folder}/bin/python3", "one", "one/bin/python3"])
def test_the_option_names_an_environment_or_its_python(server, environments, form):
    folder = environments("one")
    done = check(server, "only_in_one", "--python", form.format(folder=folder))
    assert done.returncode == 0, done.stderr
    assert f'"prefix": "{folder}"' in done.stdout and f'"executable": "{folder}/bin/python3"' in done.stdout


def test_the_option_wins_over_the_environment_and_may_stand_there(server, environments):
    one, two = environments("one"), environments("two")
    assert check(server, "only_in_one", "--python", one, env={"VIRTUAL_ENV": two}).returncode == 0
    assert check(server, "only_in_two", env={"VIRTUAL_ENV": two}).returncode == 0
    assert check(server, "only_in_one", env={"VIRTUAL_ENV": two, "GUNWALE_CMD_ARGS": f"--python {one}"}).returncode == 0
    assert check(server, "only_in_one", "--python", two, env={"GUNWALE_CMD_ARGS": f"--python {one}"}).returncode == 1


def test_the_environment_beside_the_program_comes_before_the_active_one(server, environments):
    one, two = environments("one"), environments("two")
    (one / "bin" / "gunwale").symlink_to(PROGRAM)
    for program in (one / "bin" / "gunwale", "one/bin/gunwale"):
        assert check(server, "only_in_one", env={"VIRTUAL_ENV": two}, program=program).returncode == 0, server.log_tail()
    assert f'"argv": ["{one}/bin/gunwale", "--check-config", "only_in_one:app"]' in server.read("out")


def test_a_name_is_looked_for_on_the_path(server, embedded_python):
    server.write("probe.py", PROBE)
    real = os.path.realpath(embedded_python)
    path = f"{os.path.dirname(real)}:{os.environ['PATH']}"
    done = check(server, "probe", "--python", os.path.basename(real), env={"PATH": path})
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("where", ["option", "variable"])
def test_an_environment_of_another_version_is_refused_in_one_sentence(server, environments, version, where):
    folder = environments("old", says="3.2.1")
    if where == "option":
        done = check(server, "probe", "--python", folder)
    else:
        done = check(server, "probe", env={"VIRTUAL_ENV": folder})
    assert done.returncode == 1
    assert done.stderr.startswith(
        f"\nError: the virtual environment {folder} is of Python 3.2.1, but this gunwale was built for Python {version}: "
    ), done.stderr
    assert "--python" in done.stderr and done.stderr.count("\n") == 2


def test_a_python_of_another_version_is_refused(server, version):
    other = server.folder / "python3.2"
    other.write_text("#!/bin/sh\n")
    other.chmod(0o755)
    done = check(server, "basic", "--python", other)
    assert done.returncode == 1
    assert f"the interpreter {other} is of Python 3.2, but this gunwale was built for Python {version}" in done.stderr


@pytest.mark.parametrize(
    "given, sentence",
    [
        ("/no/such/python", "--python: there is no /no/such/python"),
        ("no-such-python", "--python: there is no no-such-python"),
        ("probe.py", "--python: probe.py can't be executed"),
        ("empty", "/empty has no bin/python3"),
    ],
)
def test_what_is_no_python_is_named(server, given, sentence):
    server.write("probe.py", PROBE)
    (server.folder / "empty").mkdir()
    done = check(server, "probe", "--python", given)
    assert done.returncode == 1 and sentence in done.stderr, done.stderr


@pytest.fixture
def conda(server, embedded_python, version):
    """The looks of a conda environment: an installation of its own with conda-meta in it."""
    server.write("probe.py", PROBE)
    folder = server.folder / "conda"
    (folder / "bin").mkdir(parents=True)
    (folder / "conda-meta").mkdir()
    (folder / "lib").mkdir()
    probe = f"{embedded_python} -c 'import os; print(os.path.dirname(os.__file__))'"
    (folder / "lib" / f"python{version}").symlink_to(os.popen(probe).read().strip())
    shutil.copy2(os.path.realpath(embedded_python), folder / "bin" / f"python{version}")
    (folder / "bin" / "python3").symlink_to(f"python{version}")
    return folder


def test_an_active_conda_environment_counts(server, conda):
    done = check(server, "probe", env={"CONDA_PREFIX": conda, "CONDA_DEFAULT_ENV": "work"})
    assert done.returncode == 0, done.stderr
    assert f'"executable": "{conda}/bin/python3"' in done.stdout and f'"prefix": "{conda}"' in done.stdout


def test_condas_base_does_not_count(server, conda):
    done = check(server, "probe", env={"CONDA_PREFIX": conda, "CONDA_DEFAULT_ENV": "base"})
    assert done.returncode == 0 and f'"prefix": "{conda}"' not in done.stdout


def test_a_program_in_a_conda_environment_uses_it(server, conda):
    (conda / "bin" / "gunwale").symlink_to(PROGRAM)
    assert check(server, "probe", program=conda / "bin" / "gunwale").returncode == 0, server.log_tail()
    assert f'"prefix": "{conda}"' in server.read("out")


def test_a_conda_environment_of_another_version_is_refused(server, conda, version):
    (conda / "lib" / f"python{version}").rename(conda / "lib" / "python3.2")
    done = check(server, "probe", env={"CONDA_PREFIX": conda, "CONDA_DEFAULT_ENV": "work"})
    assert done.returncode == 1
    assert f"the conda environment {conda} is of Python 3.2, but this gunwale was built for Python {version}" in done.stderr


def test_the_name_is_free_in_a_configuration_file(server):
    server.write("gunicorn.conf.py", "import sys as python\n")
    assert check(server, "basic").returncode == 0


def test_gunicorns_abbreviations_do_not_mean_our_options(server, environments):
    environments("one")
    done = server.run(["--pythonp", "elsewhere", "--print-config", "basic:app"])
    assert done.returncode == 0 and "elsewhere" in done.stdout
    assert server.run(["--pyth", "elsewhere", "--print-config", "basic:app"]).stdout == done.stdout
    assert server.run(["--delegate", "basic:app"]).returncode == 2

