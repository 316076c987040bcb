# SPDX-License-Identifier: MIT
"""Every request of tests/corpus over a real connection: what the application sees, and what is answered to the rest."""

import json
import pathlib
import re
from urllib.parse import unquote_to_bytes

import pytest

pytestmark = pytest.mark.quick

CORPUS = pathlib.Path(__file__).resolve().parent.parent / "corpus" / "requests"
TOPICS = sorted(folder.name for folder in CORPUS.iterdir() if folder.is_dir())

ECHO = """
    import json

    def app(environ, start_response):
        seen = {key: value for key, value in environ.items() if isinstance(value, str)}
        seen["body"] = environ["wsgi.input"].read().decode("latin-1")
        answer = json.dumps(seen).encode()
        start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(answer)))])
        return [answer]
"""


@pytest.fixture(scope="module")
def echo(module_servers):
    """A server with these settings; one for all cases that want the same."""
    running = {}

    def serve(policy):
        key = json.dumps(policy, sort_keys=True)
        if key not in running:
            server = module_servers()
            server.write("echo.py", ECHO)
            conf = "".join(f"{name} = {value!r}\n" for name, value in policy.items())
            running[key] = server.start("echo:app", workers=1, conf=conf, args=["--keep-alive", "2"])
        return running[key]

    return serve


def expected(want, proxy):
    """The environ that WSGI makes of a request that is done."""
    served = want.get("served", {})
    seen = {
        "REQUEST_METHOD": want["method"],
        "RAW_URI": want["target"],
        "PATH_INFO": unquote_to_bytes(want["path"].encode("latin-1")).decode("latin-1"),
        "QUERY_STRING": want["query"],
        "SERVER_PROTOCOL": "HTTP/{}.{}".format(*want["version"]),
        "body": want["body"],
    }
    fields = {}
    for name, value in want["fields"]:
        if "_" not in name or name == "SCRIPT_NAME":  # header_map = drop, forwarder_headers
            fields.setdefault(name.upper().replace("-", "_"), []).append(value)
    for key, values in fields.items():
        seen[key if key in ("CONTENT_LENGTH", "CONTENT_TYPE") else "HTTP_" + key] = ",".join(values)
    if "scheme" in served:
        seen["wsgi.url_scheme"] = served["scheme"]
    if "script_name" in served:
        seen["SCRIPT_NAME"] = served["script_name"]
        seen["PATH_INFO"] = seen["PATH_INFO"].removeprefix(served["script_name"])
    if proxy:
        seen["PROXY_PROTOCOL"] = "UNSPEC" if proxy["family"] == "UNKNOWN" else proxy["family"]
    if proxy and "source" in proxy:
        seen["REMOTE_ADDR"], seen["REMOTE_PORT"] = proxy["source"][0], str(proxy["source"][1])
        seen["PROXY_ADDR"], seen["PROXY_PORT"] = proxy["destination"][0], str(proxy["destination"][1])
    return seen


def check_answer(client, want, proxy=None):
    """True when another answer may follow."""
    if want["outcome"] == "more":
        rest = client.read_to_end()  # a cut head is no request; a cut body is an error while the application reads
        assert not rest or rest.startswith(b"HTTP/1.1 400 "), rest
        return False
    response = client.read_response(want.get("method", "GET"))
    refusal = want.get("status") or want.get("served", {}).get("status")
    if refusal:
        assert response.code == refusal, response
        assert response.header("Connection") == "close"
        return False
    assert response.code == 200, response
    if want["method"] != "HEAD":
        answer, wanted = response.json(), expected(want, proxy)
        assert {key: answer.get(key) for key in wanted} == wanted
        extra = {key for key in answer if key.startswith("HTTP_")} - set(wanted)
        assert not extra
    assert (response.header("Connection") == "keep-alive") == want["keep_alive"]
    return want["keep_alive"]


@pytest.mark.parametrize("topic", TOPICS)
def test_requests_of_the_corpus(echo, topic):
    wrong = []
    count = 0
    for path in sorted((CORPUS / topic).glob("*.http")):
        wants = json.loads(path.with_suffix(".want.json").read_text())
        wants = wants if isinstance(wants, list) else [wants]
        count += 1
        with echo(wants[0].get("policy", {})).raw() as client:
            try:
                client.send(path.read_bytes())
                client.half_close()
            except OSError:
                pass  # refused before all was sent
            try:
                if all(check_answer(client, want, wants[0].get("proxy")) for want in wants):
                    assert client.read_to_end() == b""
            except Exception as error:  # noqa: B902
                wrong.append(f"{path.stem}: {error!r}")
    assert count > 0
    assert not wrong, "\n".join(wrong)


def test_each_advisory_has_its_cases():
    rows = [line.split("|") for line in (CORPUS.parent / "ADVISORIES.md").read_text().splitlines() if line.startswith("| ")][1:]
    assert len(rows) >= 40
    for _, server, advisory, _, cases, _ in rows:
        names = re.findall(r"`([^`]+)`", cases)
        assert names, f"{server}{advisory}"
        lost = [name for name in names if not (CORPUS / f"{name}.http").exists()]
        assert not lost, f"{server}{advisory}"
