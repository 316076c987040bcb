# SPDX-License-Identifier: MIT
"""Every request of tests/corpus over a real connection: what the application sees, and what is answered to the rest."""

import json
import pathlib
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
    server = module_servers()
    server.write("echo.py", ECHO)
    return server.start("echo:app", workers=1, args=["--keep-alive", "2"])


def expected(want):
    """The environ that WSGI makes of a request that is done."""
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
        if "_" not in name:  # header_map = drop
            fields.setdefault(name.upper().replace("-", "_"), []).append(value)
    for key, values in fields.items():
        seen[key if key in ("CONTENT_LENGTH", "CONTENT_TYPE") else "HTTP_" + key] = ",".join(values)
    return seen


def check_answer(client, want):
    """True when another answer may follow."""
    if want["outcome"] == "more":
        rest = client.read_to_end()  # a cut head is no request; a cut body is an error while the application reads
        assert not rest or rest.startswith(b"HTTP/1.1 400 "), rest
        return False
    response = client.read_response(want.get("method", "GET"))
    if want["outcome"] != "done":
        assert response.code == want["status"], response
        assert response.header("Connection") == "close"
        return False
    assert response.code == 200, response
    if want["method"] != "HEAD":
        answer, wanted = response.json(), expected(want)
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
        if "policy" in wants[0]:
            continue  # those are for the unit test
        count += 1
        with echo.raw() as client:
            try:
                client.send(path.read_bytes())
                client.half_close()
            except OSError:
                pass  # refused before all was sent
            try:
                if all(check_answer(client, want) for want in wants):
                    assert client.read_to_end() == b""
            except Exception as error:  # noqa: B902
                wrong.append(f"{path.stem}: {error!r}")
    assert count > 0
    assert not wrong, "\n".join(wrong)
