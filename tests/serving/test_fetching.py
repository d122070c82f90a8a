"""What a request may name instead of sending it."""

import asyncio
import base64
import http.server
import socket
import threading

import pytest

from catok.serving import ServerConfig
from catok.serving.errors import ApiError
from catok.serving.fetching import read_source

LISTED = ServerConfig(fetch_hosts=("a.example", "localhost", "127.0.0.1"), max_upload_megabytes=1)


def read(text, config=LISTED):
    return asyncio.run(read_source(text, "ref_audio", config))


@pytest.fixture
def recording():
    """The address of a server here that says it has a recording, and what it was asked for."""
    asked = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append((self.path, self.headers["host"]))
            if self.path == "/away":
                self.send_response(302)
                self.send_header("location", "/there")
                self.end_headers()
                return
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"s" * (3 << 20) if self.path == "/big" else b"sound")

        def log_message(self, *_):
            pass

    server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield server.server_port, asked
    server.shutdown()
    server.server_close()


def test_data_uris_and_base64():
    text = base64.b64encode(b"sound").decode()
    assert read(text) == read(f"data:audio/wav;base64,{text}") == b"sound"
    assert read(f"{text[:3]}\n{text[3:]}") == b"sound"
    for bad in ("data:audio/wav,sound", "data:;base64,!", "so und!", "data:"):
        with pytest.raises(ApiError):
            read(bad)


@pytest.mark.parametrize(
    "url",
    [
        "http://b.example/x",  # not listed
        "http://a.example.b.example/x",
        "http://a.example@b.example/x",
        "http://user@a.example/x",
        "ftp://a.example/x",
        "file:///etc/passwd",
        "http://[::1/x",
        "http://a.example:99999/x",
        "http://169.254.169.254/latest",
    ],
)
def test_nothing_else_is_fetched(url, monkeypatch):
    monkeypatch.setattr("socket.getaddrinfo", lambda *_, **__: pytest.fail("it was looked up"))
    with pytest.raises(ApiError):
        read(url)


@pytest.mark.parametrize(
    "address",
    ["127.0.0.1", "10.1.2.3", "192.168.0.1", "169.254.169.254", "::1", "fc00::1", "0.0.0.0"],
)
def test_a_listed_name_may_not_lead_into_the_house(address, monkeypatch, recording):
    port, asked = recording
    found = [(2, 1, 6, "", (address, port))]
    monkeypatch.setattr("socket.getaddrinfo", lambda *_, **__: found)
    with pytest.raises(ApiError, match="private address"):
        read(f"http://a.example:{port}/x")
    assert not asked


def test_a_listed_host_is_fetched_once_without_redirects(monkeypatch, recording):
    port, asked = recording
    found = [(2, 1, 6, "", ("93.184.215.14", port))]
    reached = []

    def connect(address, timeout):
        reached.append(address)
        connection = socket.socket()
        connection.connect(("127.0.0.1", port))
        return connection

    monkeypatch.setattr("socket.getaddrinfo", lambda *_, **__: found)
    monkeypatch.setattr("socket.create_connection", connect)
    assert read(f"http://a.example:{port}/x?a=1") == b"sound"
    for path, outcome in (("/away", "answers 302"), ("/big", "too large")):
        with pytest.raises(ApiError, match=outcome):
            read(f"http://a.example:{port}{path}")
    assert reached == [("93.184.215.14", port)] * 3  # the address that was checked
    assert [path for path, _ in asked] == ["/x?a=1", "/away", "/big"]
    assert {host for _, host in asked} == {"a.example"}
