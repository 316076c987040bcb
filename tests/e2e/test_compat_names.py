# SPDX-License-Identifier: MIT
"""`import gunicorn` in configuration files and applications, with and without the real package."""

import pytest

pytestmark = pytest.mark.quick

# A stand-in for the installed package: what counts is that it is found on sys.path, and has the real one's names.
REAL = """
    version_info = (27, 0, 1)
    __version__ = ".".join(map(str, version_info))
    SERVER = "gunicorn"
    SERVER_SOFTWARE = "%s/%s" % (SERVER, __version__)
    """

NAMES = """
import gunicorn
import gunicorn.arbiter
import gunicorn.config
import gunicorn.http.message
import gunicorn.http.wsgi
import gunicorn.util
from gunicorn import SERVER, SERVER_SOFTWARE, __version__, version_info
from gunicorn.arbiter import Arbiter
from gunicorn.config import Config
from gunicorn.errors import AppImportError, ConfigError, HaltServer
from gunicorn.glogging import CONFIG_DEFAULTS, Logger
from gunicorn.http.errors import NoMoreData
from gunicorn.workers.base import Worker
from gunicorn.workers.gthread import ThreadWorker
from gunicorn.workers.sync import SyncWorker
assert __version__ == "%d.%d.%d" % version_info
assert SERVER_SOFTWARE.startswith(SERVER + "/")
assert (Arbiter.WORKER_BOOT_ERROR, Arbiter.APP_LOAD_ERROR) == (3, 4)
assert issubclass(NoMoreData, OSError) and not issubclass(HaltServer, Exception)
assert HaltServer("why", 7).exit_status == 7
"""


@pytest.fixture(autouse=True)
def without_the_real_one(server):
    """With gunicorn in its site-packages the tested Python would answer other questions than these."""
    server.write("probe.py", "import gunicorn\nprint(gunicorn.__file__)\nfrom basic import app\n")
    if "/gunwale/compat/" not in server.run(["--check-config", "probe:app"]).stdout:
        pytest.skip("the tested Python has gunicorn")


def names_sent(server):
    return server.get("/").header("Server"), server.get("/environ").json()["SERVER_SOFTWARE"]


def test_the_names_import_in_a_configuration_file(server):
    server.start(conf=NAMES)
    assert server.get("/").code == 200
    assert not server.log_contains("Traceback|WARNING"), server.log_tail()


def test_the_names_import_in_an_application(server):
    server.write("app_with_names.py", NAMES + "from basic import app\n")
    server.start("app_with_names:app")
    assert server.get("/").code == 200


def test_they_are_the_classes_of_what_hooks_get(server):
    server.start(
        conf=NAMES
        + """
from gunicorn.http.message import Request
from gunicorn.http.wsgi import Response

def post_fork(server, worker):
    found = isinstance(server, Arbiter), isinstance(worker, Worker), isinstance(server.cfg, Config)
    worker.log.info("classes %s", found)

def post_request(worker, req, environ, resp):
    worker.log.info("of a request %s", (isinstance(req, Request), isinstance(resp, Response)))
"""
    )
    assert server.get("/").code == 200
    server.wait_log(r"classes \(True, True, True\)$")
    server.wait_log(r"of a request \(True, True\)$")


def test_a_logger_of_the_configuration_file_can_be_derived(server):
    server.start(
        conf="""
        from gunicorn.glogging import CONFIG_DEFAULTS, Logger

        class Mine(Logger):
            def info(self, message, *args, **kwargs):
                super().info("mine: " + message, *args, **kwargs)

        assert CONFIG_DEFAULTS["loggers"]["gunicorn.error"]["handlers"] == ["error_console"]
        import logging.config
        logging.config.dictConfig({**CONFIG_DEFAULTS, "root": {"level": "INFO", "handlers": ["console"]}})

        def post_worker_init(worker):
            Mine(worker.cfg).info("says %s", "hello")
        """
    )
    server.wait_log(r"^\[.*\] \[\d+\] \[INFO\] mine: says hello$")


def test_an_application_that_raises_app_import_error_ends_the_start_with_4(server):
    server.write("refusing.py", "from gunicorn.errors import AppImportError\nraise AppImportError('not today')\n")
    server.spawn(["--bind", "127.0.0.1:0", "refusing:app"])
    server.wait_exit(4)
    assert server.log_contains("not today")


def test_what_is_not_there_is_an_import_error(server):
    server.write(
        "careful.py",
        """
        import importlib
        for name in ("gunicorn.nothing", "gunicorn.app.pasterapp"):
            try:
                importlib.import_module(name)
            except ModuleNotFoundError as error:
                assert error.name == name
            else:
                raise AssertionError(name)
        from basic import app
        """,
    )
    result = server.run(["--check-config", "careful:app"])
    assert result.returncode == 0, result.stderr


def test_untouched_names(server):
    server.start(conf="import gunicorn\n")
    header, software = names_sent(server)
    assert header == "gunwale" and software.startswith("gunwale/")


@pytest.mark.parametrize("real", [False, True])
def test_the_configuration_file_renames_the_server(server, real):
    if real:
        server.write("gunicorn/__init__.py", REAL)
    server.start(
        conf=f"""
        import gunicorn
        assert gunicorn.SERVER == {"gunicorn" if real else "gunwale"!r}
        gunicorn.SERVER = "Caf\u00e9"
        gunicorn.SERVER_SOFTWARE = "secret"
        """
    )
    assert names_sent(server) == ("Caf\u00e9", "secret")


def test_each_of_the_two_names_has_its_own_place(server):
    server.start(conf="import gunicorn\ngunicorn.SERVER_SOFTWARE = 'only the environ'\n")
    assert names_sent(server) == ("gunwale", "only the environ")
    server.write("gunicorn.conf.py", "import gunicorn\ngunicorn.SERVER = ''\n")
    (old,) = server.workers()
    server.signal("HUP")
    server.wait_status(lambda status: [row["pid"] for row in status["workers"] if row["state"] == "serving"] not in ([], [old]))
    header, software = names_sent(server)
    assert header is None and software.startswith("gunwale/")


def test_the_real_package_wins_untouched(server):
    server.write("gunicorn/__init__.py", REAL)
    server.write("gunicorn/errors.py", "REAL = True\n")
    server.start(
        conf="""
        from gunicorn.errors import REAL
        try:
            import gunicorn.glogging
        except ImportError:
            pass
        else:
            raise AssertionError("a module of ours inside a package that is not")
        """
    )
    header, software = names_sent(server)
    assert header == "gunwale" and software.startswith("gunwale/")


@pytest.mark.parametrize("value", [r"'evil\r\nSet-Cookie: a=b'", "5", r"'\u20ac'", "None"])
def test_a_name_that_no_header_can_carry_is_refused(server, value):
    server.start(conf=f"import gunicorn\ngunicorn.SERVER = {value}\n")
    response = server.get("/")
    assert response.header("Server") == "gunwale" and response.header("Set-Cookie") is None
    assert server.log_contains(r"\[WARNING\] gunicorn\.SERVER is not used, no header can carry it: ")


def test_a_worker_class_may_be_the_class_itself(server):
    server.start(
        conf="""
        from gunicorn.workers.base import Worker
        from gunicorn.workers.sync import SyncWorker
        worker_class = SyncWorker
        assert issubclass(SyncWorker, Worker)

        def post_worker_init(worker):
            worker.log.info("class %s, %s", worker.cfg.worker_class_str, worker.cfg.worker_class is SyncWorker)
        """
    )
    assert server.get("/").code == 200
    server.wait_log("class SyncWorker, True$")


def test_a_worker_class_loop_ones_own_is_refused_by_its_name(server):
    server.write("own.py", "from gunicorn.workers.sync import SyncWorker\n\nclass Mine(SyncWorker):\n    pass\n")
    server.write("gunicorn.conf.py", "from own import Mine as worker_class\n")
    result = server.run(["--bind", "127.0.0.1:0", "basic:app"])
    assert result.returncode == 1 and "'own.Mine'" in result.stderr, result.stderr
