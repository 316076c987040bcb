# SPDX-License-Identifier: MIT
"""pre_request and post_request: what they see, what they may change, what their failures do."""

from rawclient import wait_until
from server import SLOW

CONF = """
    def pre_request(worker, req):
        if req.query == "refuse":
            raise ValueError("refused by pre_request")
        worker.log.info("pre %s %s %s %s", req.method, req.path, req.query, req.version)
        req.headers.append(("X-ADDED", "by the hook"))

    def post_request(worker, req, environ, resp):
        worker.log.info("post %s %s %s %s", req.uri, environ["HTTP_X_ADDED"], resp.status_code, resp.sent)
        if req.query == "fail":
            raise ValueError("failed in post_request")
"""


def test_both_hooks_see_the_request_and_its_answer(server):
    server.start(conf=CONF)
    assert server.get("/?a=b").body == b"hello"
    server.wait_log(r"\[INFO\] pre GET / a=b \(1, 1\)\n")
    server.wait_log(r"\[INFO\] post /\?a=b by the hook 200 5\n")


def test_headers_added_by_pre_request_reach_the_application(server):
    server.start(conf=CONF)
    assert server.get("/environ", headers={"X-Own": "1"}).json()["HTTP_X_ADDED"] == "by the hook"


def test_headers_added_by_pre_request_reach_the_access_log(server):
    args = ["--access-logfile", "access", "--access-logformat", "log %({x-added}i)s %({x-own}i)s %(a)s"]
    server.start(conf=CONF, args=args)
    with server.raw() as client:
        for number in range(3):
            body = b"x" * number * 100_000  # the buffer that the fields stand in moves
            client.request("POST", "/echo", headers={"X-Own": str(number), "User-Agent": "me"}, body=body)
            line = f"log by the hook {number} me\n"
            wait_until(lambda: line in server.read("access"), 15 * SLOW, what=line)  # noqa: B023


def test_exception_in_pre_request_is_500(server):
    server.start(conf=CONF)
    assert server.get("/?refuse").code == 500
    server.wait_log("ValueError: refused by pre_request")
    assert server.get("/").code == 200


def test_post_request_runs_after_a_failed_pre_request(server):
    server.start(
        conf="""
        def pre_request(worker, req):
            raise ValueError("refused")

        def post_request(worker, req, environ, resp):
            worker.log.info("post %s %s %s", req.path, environ, resp)
            raise KeyError("and again")
        """
    )
    assert server.get("/pid").code == 500
    server.wait_log(r"\[INFO\] post /pid {} None\n")
    server.wait_log(r"\[ERROR\] Exception in post_request hook\nTraceback")
    server.wait_log("ValueError: refused")


def test_exception_in_post_request_is_logged_and_changes_nothing(server):
    server.start(conf=CONF)
    with server.raw() as client:
        assert client.request(target="/?fail").body == b"hello"
        assert client.request().body == b"hello"
    server.wait_log(r"\[ERROR\] Exception in post_request hook\nTraceback")


def test_old_forms_of_post_request_still_work(server):
    server.start(conf="def post_request(worker, req):\n    worker.log.info('two %s', req.path)\n")
    server.get("/pid")
    server.wait_log(r"\[INFO\] two /pid\n")


def test_force_close_in_pre_request_closes(server):
    server.start(conf="def pre_request(worker, req):\n    req.force_close()\n")
    with server.raw() as client:
        assert client.request().header("Connection") == "close"
        client.expect_close()
