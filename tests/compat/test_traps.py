# SPDX-License-Identifier: MIT
"""What people really write, and a careless parser would break: one test each, the same for gunicorn and gunwale.

Found in public configuration files, Procfiles, Dockerfiles and units. A trap is a command line with files and an environment;
both programs run it, and must agree in the exit code and in every setting that --print-config shows. `shows` must stand in the
output of both. Where a difference is wanted, `differs` says why, and only gunwale is held to the rest.
"""

import re
import shlex

import pytest
from test_cli import GUNICORN, GUNWALE, OURS, WANTED, pytestmark, run, values  # noqa: F401

APP = "def app(environ, start_response):\n    start_response('200 OK', [])\n    return []\n"


class Trap:
    def __init__(self, line, code=0, shows=(), env=None, differs=None, **files):
        self.args = shlex.split(line)
        self.code = code
        self.shows = [shows] if isinstance(shows, str) else list(shows)
        self.env = env or {}
        self.differs = differs
        self.files = files


def shown(name, value):
    """A line of --print-config."""
    return rf"(?m)^{name} += {re.escape(value)}$"


def conf(text, line="app:app", **more):
    return Trap(line, gunicorn_conf_py=text, **more)


THREE = "workers = 3\n"
HOOKS = "def post_fork(server, worker): pass\ndef default(server, worker, more=1): pass\ndef short(server): pass\n"

TRAPS = {
    # -- abbreviations
    "config_may_be_abbreviated": Trap("--conf other.py app:app", shows=shown("workers", "3"), other_py=THREE),
    "an_abbreviation_takes_an_equals_sign": Trap("--conf=other.py app:app", shows=shown("workers", "3"), other_py=THREE),
    "an_ambiguous_abbreviation_is_a_usage_error": Trap("--work 5 app:app", code=2, shows="ambiguous option"),
    "a_whole_name_is_not_ambiguous": Trap("--reload app:app", shows=shown("reload", "True")),
    "log_config_is_not_log_config_json": Trap("--log-config x app:app", shows=shown("logconfig", "x")),
    "an_abbreviation_may_end_in_a_dash": Trap("--max-requests- 5 app:app", shows=shown("max_requests_jitter", "5")),
    "the_flag_with_an_underscore": Trap("--limit-request-field_size 9 app:app", shows=shown("limit_request_field_size", "9")),
    "the_same_flag_with_a_dash_is_unknown": Trap("--limit-request-field-size 9 app:app", code=2),
    "an_abbreviation_of_a_flag_takes_no_value": Trap("--preloa=1 app:app", code=2, shows="ignored explicit argument"),
    # -- the equals sign behind a short option
    "short_option_with_equals": Trap("-c=python:other app:app", shows=shown("workers", "3"), other_py=THREE),
    "short_number_with_equals": Trap("-w=4 app:app", shows=shown("workers", "4")),
    "short_bind_with_equals": Trap("-b=:1 app:app", shows=shown("bind", "[':1']")),
    "short_class_with_equals": Trap("-k=sync app:app", shows=shown("worker_class", "sync")),
    # -- one element of a JSON array in a Dockerfile
    "config_and_its_value_in_one_element": Trap(
        "'-c other.py' app:app",
        differs="gunicorn 27 looks for a file whose name begins with a blank; Dockerfiles that were written for older ones do work",
        shows=shown("workers", "3"),
        other_py=THREE,
    ),
    "workers_and_their_number_in_one_element": Trap("'-w 4' app:app", shows=shown("workers", "4")),
    "bind_and_its_address_in_one_element": Trap("'-b :1' app:app", shows=shown("bind", "[':1']")),
    "class_and_its_name_in_one_element": Trap("'-k sync' app:app", shows=shown("worker_class", "sync")),
    "a_variable_in_one_element": Trap("'-e A=b' app:app", shows=shown("raw_env", "['A=b']")),
    "a_long_option_and_its_value_in_one_element_is_the_application": Trap(
        "'--workers 4' app:app", code=1, shows="No module named '--workers 4'"
    ),
    "a_number_glued_to_its_flag": Trap("-w4 app:app", shows=shown("workers", "4")),
    "flags_glued_together": Trap("-Rw4 app:app", shows=[shown("workers", "4"), shown("enable_stdio_inheritance", "True")]),
    # -- order and repetition
    "the_last_number_wins": Trap("-w 3 -w 2 app:app", shows=shown("workers", "2")),
    "addresses_add_up": Trap("-b :1 --bind=:2 app:app", shows=shown("bind", "[':1', ':2']")),
    "variables_add_up": Trap("-e A=1 --env B=2 app:app", shows=shown("raw_env", "['A=1', 'B=2']")),
    "options_on_both_sides_of_the_application": Trap(
        "-w 3 app:app -t 9", shows=[shown("workers", "3"), shown("timeout", "9")]
    ),
    "the_application_in_front": Trap("app:app -w 3", shows=shown("workers", "3")),
    "more_words_behind_the_application_are_ignored": Trap("app:app other words -w3", shows=shown("workers", "3")),
    "words_behind_a_later_option_are_too_many": Trap("app:app -w 3 other", code=2, shows="unrecognized arguments: other"),
    "dashes_end_the_options": Trap("-w 3 -- app:app", shows=shown("workers", "3")),
    "a_flag_cannot_be_taken_back": Trap("--no-preload app:app", code=2, shows="unrecognized arguments: --no-preload"),
    "a_dash_is_a_value": Trap("--access-logfile - app:app", shows=shown("accesslog", "-")),
    "a_value_may_not_look_like_an_option": Trap("-n -x app:app", code=2, shows="expected one argument"),
    "a_negative_number_is_a_value": Trap("-w -1 app:app", code=1, shows="positive"),
    "underscores_in_numbers": Trap("--backlog 2_048 app:app", shows=shown("backlog", "2048")),
    "hexadecimal_is_no_number_on_the_command_line": Trap("-w 0x2 app:app", code=2, shows="invalid int value"),
    # -- GUNICORN_CMD_ARGS
    "quotes_in_the_environment": Trap(
        "app:app", env={"GUNICORN_CMD_ARGS": "--timeout 600 --access-logfile '-' --error-logfile '-'"}, shows=shown("accesslog", "-")
    ),
    "the_application_in_the_environment_does_not_count": Trap(
        "app:app", env={"GUNICORN_CMD_ARGS": "no_such:app -w 5"}, shows=shown("workers", "5")
    ),
    "the_application_only_in_the_environment_is_none": Trap(
        "", code=1, env={"GUNICORN_CMD_ARGS": "app:app"}, shows="No application module specified"
    ),
    "heroku_sets_it_on_every_dyno": Trap("app:app", env={"GUNICORN_CMD_ARGS": "--access-logfile -"}, shows=shown("accesslog", "-")),
    "the_command_line_replaces_its_addresses": Trap(
        "-b :3 app:app", env={"GUNICORN_CMD_ARGS": "-b :1 -b :2"}, shows=shown("bind", "[':3']")
    ),
    "a_configuration_file_named_in_it": Trap(
        "app:app", env={"GUNICORN_CMD_ARGS": "-c other.py"}, other_py=THREE, shows=shown("workers", "3")
    ),
    "the_command_lines_file_wins": Trap(
        "-c other.py app:app", env={"GUNICORN_CMD_ARGS": "-c third.py"}, other_py=THREE, third_py="raise 1\n", shows=shown("workers", "3")
    ),
    "it_wins_over_the_file": conf(THREE, env={"GUNICORN_CMD_ARGS": "-w 4"}, shows=shown("workers", "4")),
    "an_open_quote_in_it_ends_the_start": Trap("app:app", code=1, env={"GUNICORN_CMD_ARGS": "-n 'x"}, shows="No closing quotation"),
    "an_unknown_option_in_it_is_a_usage_error": Trap("app:app", code=2, env={"GUNICORN_CMD_ARGS": "--nonsense"}),
    "line_ends_in_it_are_blanks": Trap("app:app", env={"GUNICORN_CMD_ARGS": "\n-w 3\n\t-t 9\n"}, shows=shown("timeout", "9")),
    "it_may_be_empty": Trap("app:app", env={"GUNICORN_CMD_ARGS": ""}, shows=shown("workers", "1")),
    # -- other variables
    "the_port_is_a_default": Trap("app:app", env={"PORT": "5000"}, shows=shown("bind", "['0.0.0.0:5000']")),
    "the_port_yields_to_the_file": conf("bind = ':1'", env={"PORT": "5000"}, shows=shown("bind", "[':1']")),
    "the_concurrency_is_a_default": conf("timeout = 9", env={"WEB_CONCURRENCY": "4"}, shows=shown("workers", "4")),
    "the_concurrency_yields_to_the_file": conf(THREE, env={"WEB_CONCURRENCY": "4"}, shows=shown("workers", "3")),
    "heroku_trusts_every_proxy": Trap("app:app", env={"FORWARDED_ALLOW_IPS": "*"}, shows=shown("forwarded_allow_ips", "['*']")),
    # -- which file
    "a_file_named_ini_is_run_with_a_warning": Trap(
        "-c gunicorn.ini app:app", gunicorn_ini=THREE, shows=[shown("workers", "3"), "should have a valid Python extension"]
    ),
    "a_file_named_conf_in_a_folder": Trap(
        "-c config/gunicorn.conf app:app", **{"config/gunicorn_conf": THREE}, shows=shown("workers", "3")
    ),
    "a_file_with_its_prefix": Trap("-c file:other.py app:app", other_py=THREE, shows=shown("workers", "3")),
    "a_module_in_a_package": Trap(
        "-c python:config.web app:app", **{"config/__init___py": "", "config/web_py": THREE}, shows=shown("workers", "3")
    ),
    "a_missing_file_is_named": Trap("-c no.py app:app", code=1, shows="Error: 'no.py' doesn't exist"),
    "the_default_file_is_not_read_beside_another": Trap(
        "-c other.py app:app", gunicorn_conf_py="timeout = 77\n", other_py=THREE, shows=shown("timeout", "30")
    ),
    "only_the_application_of_the_file": Trap("", gunicorn_conf_py="wsgi_app = 'app:app'\n", shows=shown("wsgi_app", "app:app")),
    "the_command_lines_application_wins": conf("wsgi_app = 'no_such:app'\n", shows=shown("wsgi_app", "no_such:app")),
    "the_default_file_lies_where_the_start_is": Trap(
        "--chdir sub sub_app:app", **{"sub/sub_app_py": APP, "sub/gunicorn_conf_py": THREE}, shows=shown("workers", "1")
    ),
    "a_folder_of_the_file_counts_from_the_start": Trap(
        "sub_app:app", gunicorn_conf_py="chdir = 'sub'\n", **{"sub/sub_app_py": APP}, shows=r"(?m)^chdir += /.*/sub$"
    ),
    # -- a file is Python
    "a_file_may_print": conf("import json\nprint(json.dumps({'workers': 3}))\n" + THREE, shows=[r'\{"workers": 3\}', shown("workers", "3")]),
    "a_file_may_import_its_neighbour": conf("from neighbour import *\n", neighbour_py=THREE, shows=shown("workers", "3")),
    "a_file_may_change_its_globals": conf(
        "for name, value in {'workers': 3}.items():\n    globals()[name] = value\n", shows=shown("workers", "3")
    ),
    "a_file_may_define_classes_and_functions": conf("class A:\n    workers = 9\nf = lambda: 3\nworkers = f()\n", shows=shown("workers", "3")),
    "a_file_may_leave_with_a_code": conf("import sys\nsys.exit(7)\n", code=7),
    "a_file_may_leave_with_a_sentence": conf("import sys\nsys.exit('set DATABASE_URL')\n", code=1, shows="set DATABASE_URL"),
    "a_file_may_leave_with_zero": conf("raise SystemExit\n"),
    "a_file_that_raises_is_shown": conf("raise ValueError('no database')\n", code=1, shows=["Failed to read config file", "no database"]),
    "a_file_that_does_not_compile_is_shown": conf("workers = = 3\n", code=1, shows="SyntaxError"),
    "a_file_may_set_variables_for_the_application": conf(
        "import os\nos.environ['FROM_FILE'] = 'yes'\n", line="reads:app", reads_py="import os\nassert os.environ['FROM_FILE']\n" + APP
    ),
    "a_file_knows_its_path": conf("import os\nproc_name = os.path.basename(__file__)\n", shows=shown("proc_name", "gunicorn.conf.py")),
    "a_file_has_gunicorns_module_name": conf("proc_name = __name__\n", shows=shown("proc_name", "__config__")),
    "annotated_settings_count": conf("workers: int = 3\n", shows=shown("workers", "3")),
    "a_file_may_set_up_logging": conf("import logging\nlogging.basicConfig(level=logging.DEBUG)\n" + THREE, shows=shown("workers", "3")),
    "capital_names_do_not_count": conf("WORKERS = 9\nWorkers = 9\n", shows=shown("workers", "1")),
    # -- values
    "numbers_as_texts": conf("import os\nworkers = os.environ.get('N', '3')\ntimeout = '0x10'\n", shows=shown("timeout", "16")),
    "an_empty_text_is_no_number": conf("max_requests = ''\n", code=1, shows="Invalid value for max_requests"),
    "no_number_at_all": conf("timeout = None\n", code=1, shows="Invalid value for timeout: None"),
    "zero_switches_off": conf("timeout = 0\nkeepalive = 0\n", shows=shown("timeout", "0")),
    "half_a_second_is_refused": conf("timeout = 0.5\n", code=1, shows="Invalid value for timeout: 0.5"),
    "true_is_a_number": conf("workers = True\n", shows=shown("workers", "1")),
    "one_is_not_true": conf("reload = 1\n", code=1, shows="Invalid value for reload: 1"),
    "true_as_a_text": conf("preload_app = 'True'\ndaemon = ' false '\n", shows=[shown("preload_app", "True"), shown("daemon", "False")]),
    "none_for_texts_and_owners": conf("user = None\ngroup = None\naccesslog = None\npidfile = None\n", shows=shown("pidfile", "None")),
    "a_list_of_proxies_is_refused": conf("forwarded_allow_ips = ['*']\n", code=1, shows="Invalid value for forwarded_allow_ips"),
    "umask_as_an_octal_text": conf("umask = 0o22\n", line="-m 027 app:app", shows=shown("umask", "23")),
    # -- addresses
    "a_shells_variable_in_the_file_is_a_text": conf("bind = '0.0.0.0:$PORT'\n", shows=shown("bind", "['0.0.0.0:$PORT']")),
    "an_address_without_a_port": conf("bind = '0.0.0.0'\n", shows=shown("bind", "['0.0.0.0']")),
    "a_port_without_an_address": conf("bind = ':8000'\n", shows=shown("bind", "[':8000']")),
    "both_families": conf("bind = '[::]:5006'\n", shows=shown("bind", "['[::]:5006']")),
    "a_tuple_of_addresses": conf("bind = (':1', ' unix:/x ')\n", shows=shown("bind", "[':1', 'unix:/x']")),
    "no_address_is_an_empty_list": conf("bind = ''\n", shows=shown("bind", "[]")),
    # -- hooks and classes
    "a_hook_as_a_dotted_text": conf("pre_fork = 'hooks.post_fork'\n", hooks_py=HOOKS, shows=shown("pre_fork", "<post_fork()>")),
    "a_hook_from_an_import": conf("from hooks import post_fork\n", hooks_py=HOOKS, shows=shown("post_fork", "<post_fork()>")),
    "a_hook_that_does_not_exist": conf("pre_fork = 'hooks.missing'\n", code=1, hooks_py=HOOKS, shows="Can not load 'missing' from 'hooks'"),
    "a_hook_that_takes_too_little": conf("from hooks import short as post_fork\n", code=1, hooks_py=HOOKS, shows="arity of: 2"),
    "a_default_counts_as_a_parameter": conf("from hooks import default as post_fork\n", code=1, hooks_py=HOOKS, shows="arity of: 2"),
    "a_hook_that_takes_anything_is_refused": conf("def post_fork(*args): pass\n", code=1, shows="arity of: 2"),
    "a_partial_function_as_a_hook": conf(
        "import functools\nfrom hooks import default\npost_fork = functools.partial(default, more=2)\n",
        hooks_py=HOOKS,
        shows=shown("post_fork", "<partial()>"),
        differs="gunicorn takes it, too, but its --print-config breaks on what has no __qualname__",
    ),
    "a_method_as_a_hook": conf(
        "class Mine:\n    def call(self, server): pass\non_exit = Mine().call\n", shows=shown("on_exit", "<Mine.call()>")
    ),
    "post_request_with_two_parameters": conf("def post_request(worker, req): pass\n"),
    "a_worker_class_as_a_class": conf(
        "from gunicorn.workers.sync import SyncWorker as worker_class\n",
        differs="a class is shown by its dotted name, which the master knows",
        shows=shown("worker_class", "gunicorn.workers.sync.SyncWorker"),
    ),
    "a_logger_of_ones_own": conf(
        "from gunicorn.glogging import Logger\nclass Mine(Logger):\n    pass\nlogger_class = Mine\n", shows=shown("logger_class", "<Mine()>")
    ),
    # -- names that are no settings
    "invented_names_do_not_stop_the_start": conf(
        "access_logfile = '-'\nlog_level = 'debug'\npreload = True\nkeep_alive = 5\nname = 'x'\nmax_worker_memory = 400\n",
        shows=[shown("loglevel", "info"), shown("preload_app", "False"), shown("accesslog", "None")],
    ),
    "invented_names_are_named": conf(
        "access_logfile = '-'\n", differs="gunicorn says nothing", shows="'access_logfile'.*did you mean 'accesslog'"
    ),
    # -- the package's name
    "the_server_may_be_renamed": conf("import gunicorn\ngunicorn.SERVER_SOFTWARE = 'x'\ngunicorn.SERVER = 'y'\n"),
    "the_logger_may_be_imported": conf("from gunicorn.glogging import Logger, CONFIG_DEFAULTS\n"),
    "the_base_classes_may_be_imported": conf(
        "from gunicorn.workers.base import Worker\nfrom gunicorn.workers.gthread import ThreadWorker\n"
        "from gunicorn.workers.ggevent import GeventWorker\nfrom gunicorn.arbiter import Arbiter\n",
        differs="gunicorn's own needs gevent",
    ),
    # -- applications
    "a_factory_in_quotes": Trap("'factory:create(1, debug=True)'", factory_py="def create(n, debug):\n    return print\n"),
    "a_path_instead_of_a_module": Trap("app.py", code=1, shows="did you mean 'app:app"),
    "an_attribute_of_an_attribute": Trap("app:app.x", code=1, shows="Failed to parse 'app.x'"),
}


def lay_out(folder, files):
    """other_py is other.py; gunicorn_conf_py is gunicorn.conf.py."""
    special = {"gunicorn_conf_py": "gunicorn.conf.py", "config/gunicorn_conf": "config/gunicorn.conf"}
    special["sub/gunicorn_conf_py"] = "sub/gunicorn.conf.py"
    (folder / "app.py").write_text(APP)
    for name, text in files.items():
        path = folder / (special.get(name) or re.sub(r"_(py|ini)$", r".\1", name))
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)


def test_there_are_more_than_sixty():
    assert len(TRAPS) > 60


@pytest.mark.parametrize("name", TRAPS)
def test_trap(name, tmp_path):
    trap = TRAPS[name]
    lay_out(tmp_path, trap.files)
    arguments = ["--print-config"] + trap.args
    ours = run(GUNWALE, arguments, tmp_path, trap.env)
    output = ours.stdout + ours.stderr
    assert ours.returncode == trap.code, output
    for pattern in trap.shows:
        assert re.search(pattern, output), f"{pattern}\n{output}"
    if trap.differs:
        return
    theirs = run(GUNICORN, arguments, tmp_path, trap.env)
    output = theirs.stdout + theirs.stderr
    assert theirs.returncode == trap.code, output
    for pattern in trap.shows:
        assert re.search(pattern, output), f"gunicorn: {pattern}\n{output}"
    expected, found = values(theirs.stdout), values(ours.stdout)
    for setting in set(expected) & set(found) - WANTED - OURS:
        if found[setting] != "<do_nothing()>" and setting != "post_request":
            assert found[setting] == expected[setting], setting
