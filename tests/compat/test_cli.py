# SPDX-License-Identifier: MIT
"""The same command lines for gunicorn and gunwale: exit codes, usage errors and values (--print-config) must agree.

GUNWALE_BUILD    build folder (default: build/test of the source)
GUNWALE_PROGRAM  the program, if it is not in the build folder
GUNICORN         command line of the real gunicorn (default: this Python's `-m gunicorn`); without one everything is skipped

Differences that are wanted stand in WANTED, each with its reason.
"""

import os
import pathlib
import re
import shlex
import subprocess
import sys

import pytest

SOURCE = pathlib.Path(__file__).resolve().parent.parent.parent
BUILD = pathlib.Path(os.environ.get("GUNWALE_BUILD", SOURCE / "build" / "test")).resolve()
GUNWALE = [os.environ.get("GUNWALE_PROGRAM", str(BUILD / "gunwale"))]
GUNICORN = shlex.split(os.environ.get("GUNICORN", f"{sys.executable} -m gunicorn"))
CLEARED = "GUNICORN_CMD_ARGS GUNWALE_CMD_ARGS PORT WEB_CONCURRENCY FORWARDED_ALLOW_IPS SENDFILE".split()


def run(command, args, folder, environment):
    env = {name: value for name, value in os.environ.items() if name not in CLEARED}
    env.update(environment, PYTHONDONTWRITEBYTECODE="1")
    return subprocess.run(command + args, capture_output=True, text=True, cwd=folder, env=env, timeout=60, check=False)


def gunicorn_version():
    try:
        done = subprocess.run(GUNICORN + ["--version"], capture_output=True, text=True, timeout=60, check=False)
    except OSError:
        return None
    found = re.search(r"version (\d+)\.(\d+)", done.stdout)
    return (int(found[1]), int(found[2])) if found else None


VERSION = gunicorn_version()
pytestmark = [
    pytest.mark.skipif(VERSION is None, reason=f"no gunicorn to compare with: {shlex.join(GUNICORN)} does not run"),
    pytest.mark.skipif((VERSION or (99,)) < (26, 2), reason=f"the table follows gunicorn 26.2, here is {VERSION}"),
]

# Values that differ on purpose.
WANTED = {
    "sendfile",  # gunicorn keeps None apart from True, and True switches it off there
    "control_socket",  # gunicorn has one by default
    "default_proc_name",
}
OURS = {
    "client_send_low_watermark", "delegate_unknown_workers", "log_format", "max_recycling", "max_request_memory",
    "max_socket_memory", "max_worker_age", "max_worker_age_jitter", "max_worker_memory", "max_worker_memory_hard",
    "max_worker_socket_memory", "memory_limit", "memory_measure", "memory_policy", "memory_remedies", "permit_missing_host",
    "python", "socket_mode", "status_bind", "status_file", "status_format", "status_interval", "warmup_paths",
}
A = "app:app"

LINES = """
|-w4|-w=4|-w 4|-w ' 4 '|-w 1_0|-w 010|-w +3|-w -1|-w x|-w 0x3|-w ''|-w=|--workers=
--workers=4|--worker-con 5|--worker-con=5
--work 5|--workers 3 --workers 5|-w|-w -5|-w -.5|-w -- 3|-w 3 --|-wx
-b :1 -b :2|-b:1 --bind=:2|'-b= :3 '|--bi 1.2.3.4:5|-b ''|-b -foo|-b -
-e A=b '-e C=d'|-eFOO=bar|-e '-foo bar=1'|-e '-w 3'|-e=X=y|--env X=1
extra|-- extra|-w 3 extra|--foo|--foo=1|-z|-z -w x
--log x|--past x|--log-f x|--log-config x|--acc x|--access-logf x|--access-logfi -|--log-file=x --error-logfile=y
-D|-Dw3|-Dw 3|-DR|-RDw4|-Dx|-D=3|--daemon=3|--daemon=|-Dw|-DDw3
--error-logfile -|--error-logfile=-x|--config|-c
--proxy-protocol=off|--proxy-protocol off|--proxy-protocol=v9
--no-sendfile|--no-s|--no-c|--no x|--preload|--pre|--pr|--reuse|--reload|--relo
-m 022|-m 0o22|-m 18|-m 0x12|-m 09|-m -1|-m 0|-m 00|-m 0b11|-m x|-m ' 022'|--umask 7 --umask 8|--umask=8x
--control-socket-mode 0644|--cert-reqs x|--cert-reqs 0|--cert-reqs 0x0
-u root -g root|-u 12 -g 13|-u no-such-user|-g no-such-group|-u ''|-u -1|--user 'root '
--chdir ..|--chdir /nosuch
--http2-max-frame-size 5|--http2-max-frame-size 20000|--header-map REFUSE|--header-map x
--reload-engine x|--reload-engine poll
--forwarded-allow-ips x|--forwarded-allow-ips '*'|--forwarded-allow-ips '10.0.0.0/8, ::1'|--forwarded-allow-ips 10.0.0.1/8
--forwarded-allow-ips ''|--proxy-allow-from 1.2.3.4|--http-protocols h1|--http-protocols h1,h1|--http-protocols ''
--http-protocols h9|--http2-cleartext upgrade|--http2-cleartext x|--asgi-loop x|--asgi-lifespan on|--http-parser fast
--http-parser x|--limit-request-field_size 5|--limit-request-field-size 5|--limit-request-field 5|--limit-request-fields 5
-n ' name '|--name ''|--keep-alive x|--keep 7|--keepalive 7|-t0 --graceful 9|--max 5|--max-requests-j 5|--max-requests 5
--access-logformat '%(h)s x'|--log-level DEBUG|--pid x|-p x|--statsd-pre x|--log-syslog|--log-sysl|--pythonp a,b
--forwarder A,B|--help=3|-h3|--suppress|--do-hand|--w 3|--worker- 3|--spew=1|-k sync|-k=sync|-ksync
--worker-cl sync|--ciphers '-x y'|--dirty-workers 1
"""
COMMAND_LINES = [shlex.split(line) for line in re.split(r"[|\n]", LINES.strip("\n"))]
ENVIRONMENTS = [
    {"GUNICORN_CMD_ARGS": value}
    for value in (
        "-w 3",
        "-w '3",
        "--bind=:1 --bind ':2'",
        "-w x",
        "other:app -w 5",
        "--name 'a b'",
        '--name "a\\"b\\c"',
        "--foo",
        "-n a\\ b",
        "-n ''",
        "",
        "  -w\t7\n",
        "-n a\\",
        "--name x'y'z",
    )
] + [
    {"PORT": "99"},
    {"PORT": ""},
    {"WEB_CONCURRENCY": "x"},
    {"WEB_CONCURRENCY": "7"},
    {"WEB_CONCURRENCY": "-2"},
    {"WEB_CONCURRENCY": ""},
    {"WEB_CONCURRENCY": "010"},
    {"FORWARDED_ALLOW_IPS": "*"},
    {"FORWARDED_ALLOW_IPS": "x"},
]
FILES = [
    "workers = 3\nbind = ':1'",
    "workers = 0.5",
    "workers = None",
    "workers = 'x'",
    "workers = '0x3'",
    "workers = -1",
    "timeout = True",
    "reload = 1",
    "preload_app = 'True '",
    "preload_app = 'maybe'",
    "bind = [3]",
    "bind = (':1', ' :2 ')",
    "bind = ''",
    "user = 'no-such-user'",
    "user = None\ngroup = None",
    "pidfile = 3",
    "umask = '09'",
    "umask = 0o22",
    "forwarded_allow_ips = ['*']",
    "chdir = '/nosuch'",
    "secure_scheme_headers = None",
    "secure_scheme_headers = {'A': 'b'}",
    "raw_env = ['A=\"1\\'', 'b=c']",
    "Workers = 9\nkeepallive = 3",
]


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "app.py").write_text("def app(environ, start_response):\n    start_response('200 OK', [])\n    return []\n")
    return tmp_path


def values(text):
    found = {}
    for line in text.splitlines():
        match = re.match(r"([a-z_0-9]+) += ?(.*)", line)
        if match:
            found[match[1]] = match[2]
    return found


def usage(done):
    """The sentence behind `prog: error:`."""
    return done.stderr.strip().splitlines()[-1].partition(": ")[2]


def compare(args, folder, environment):
    theirs = run(GUNICORN, args, folder, environment)
    ours = run(GUNWALE, args, folder, environment)
    told = f"\ngunicorn: {theirs.stderr}\ngunwale: {ours.stderr}"
    assert ours.returncode == theirs.returncode, told
    if theirs.returncode == 2:
        sentence = re.sub(r"could match .*", "could match", usage(theirs))
        assert re.sub(r"could match .*", "could match", usage(ours)) == sentence
    elif theirs.returncode == 0:
        expected = values(theirs.stdout)
        for name, value in values(ours.stdout).items():
            is_hook = value == "<do_nothing()>"  # gunicorn shows its own function there
            if name not in WANTED | OURS and name in expected and not is_hook:
                assert value == expected[name], name


@pytest.mark.parametrize("args", COMMAND_LINES, ids=shlex.join)
def test_command_lines_mean_the_same(args, folder):
    compare(["--print-config"] + args + [A], folder, {})


POSITIONALS = [[A, "-w", "3"], [A, "-w", "3", "x"], [A, "x", "-w3"], ["--", A], [A, "--", "x"], ["-w", "3"]]


@pytest.mark.parametrize("args", POSITIONALS, ids=shlex.join)
def test_positionals_mean_the_same(args, folder):
    compare(["--print-config"] + args, folder, {})


@pytest.mark.parametrize("environment", ENVIRONMENTS, ids=str)
def test_environments_mean_the_same(environment, folder):
    compare(["--print-config", A], folder, environment)
    compare(["--print-config", "-b", ":9", "-w", "9", A], folder, environment)


@pytest.mark.parametrize("text", FILES)
def test_configuration_files_mean_the_same(text, folder):
    (folder / "gunicorn.conf.py").write_text(text + "\n")
    compare(["--print-config", A], folder, {})


LEAVING = [["--help"], ["-h"], ["--version"], ["-v"], ["--ver"], ["-vh"], ["--foo", "-h"], ["-w", "x", "-h"]]


@pytest.mark.parametrize("args", LEAVING, ids=shlex.join)
def test_help_and_version_leave_the_same_way(args, folder):
    theirs, ours = run(GUNICORN, args, folder, {}), run(GUNWALE, args, folder, {})
    assert (ours.returncode, bool(ours.stdout)) == (theirs.returncode, bool(theirs.stdout))


def test_every_setting_of_gunicorn_is_known(folder):
    theirs, ours = (values(run(one, ["--print-config", A], folder, {}).stdout) for one in (GUNICORN, GUNWALE))
    assert len(theirs) > 100
    assert set(theirs) - set(ours) == set()
    assert set(ours) - set(theirs) - OURS == ({"websocket_max_message_size"} if VERSION < (27, 0) else set())


def test_every_flag_of_gunicorn_is_known(folder):
    flags = set(re.findall(r"(?<![\w-])--[a-z][\w-]*", run(GUNWALE, ["--help"], folder, {}).stdout))
    theirs = run(GUNICORN, ["--help"], folder, {}).stdout
    wanted = set()
    for line in theirs.splitlines():
        if re.match(r"  -", line):
            wanted |= set(re.findall(r"(?:^  |, )(--?[\w-]+)", line.split("  " * 3)[0]))
    assert len(wanted) > 100
    # Of an option that does not work yet --help shows the first spelling only; short ones are in the command lines above.
    missing = {flag for flag in wanted - flags if flag.startswith("--")}
    assert missing <= {"--paster"}
