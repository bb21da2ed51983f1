"""The real server: refused starts, safe headers, foreign hosts, and an end without a traceback."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path

import pytest

from tests.conftest import ROOT, Server, free_port, start_server, stop_server

KEY = "dGhlIHNhbXBsZSBub25jZQ=="  # the sample nonce of RFC 6455


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server started from another working folder, with an environment that tries to loosen it."""
    folder = tmp_path_factory.mktemp("elsewhere")
    loose = {"STREAMLIT_SERVER_ADDRESS": "0.0.0.0", "STREAMLIT_SERVER_ALLOWED_HOSTS": "*"}
    running = start_server(folder, command=[sys.executable, str(ROOT / "app")], cwd=folder, extra=loose)
    yield running
    stop_server(running)


def handshake(server: Server, host: str, origin: str | None = None) -> int:
    """Status of a websocket handshake written by hand: 101 if it is accepted."""
    name, port = server.url.removeprefix("http://").split(":")
    lines = [
        "GET /_stcore/stream HTTP/1.1",
        f"Host: {host}",
        "Upgrade: websocket",
        "Connection: Upgrade",
        f"Sec-WebSocket-Key: {KEY}",
        "Sec-WebSocket-Version: 13",
        *([f"Origin: {origin}"] if origin else []),
    ]
    with socket.create_connection((name, int(port)), timeout=20) as wire:
        wire.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
        return int(wire.recv(1024).split()[1])


def get(server: Server, path: str, host: str) -> tuple[int, dict[str, str]]:
    connection = HTTPConnection(server.url.removeprefix("http://"), timeout=20)
    connection.putrequest("GET", path, skip_host=True)
    connection.putheader("Host", host)
    connection.endheaders()
    answer = connection.getresponse()
    answer.read()
    connection.close()
    return answer.status, {name.lower(): value for name, value in answer.getheaders()}


def port_of(server: Server) -> str:
    return server.url.rpartition(":")[2]


def test_own_hosts_may_open_the_websocket(elsewhere: Server) -> None:
    for name in ("127.0.0.1", "localhost"):
        host = f"{name}:{port_of(elsewhere)}"
        assert handshake(elsewhere, host) == 101
        assert handshake(elsewhere, host, f"http://{host}") == 101


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example:8501"])
def test_a_foreign_host_is_refused(elsewhere: Server, host: str) -> None:
    assert handshake(elsewhere, host) == 403
    assert handshake(elsewhere, host, f"http://{host}") == 403
    for path in ("/", "/_stcore/health", "/_stcore/upload_file/a/b"):
        assert get(elsewhere, path, host)[0] == 403


def test_a_foreign_page_cannot_open_the_websocket(elsewhere: Server) -> None:
    assert handshake(elsewhere, f"127.0.0.1:{port_of(elsewhere)}", "http://evil.example") == 403


@pytest.mark.parametrize("path", ["/", "/_stcore/health", "/_stcore/metrics", "/no-such-page"])
def test_every_answer_has_the_safe_headers(elsewhere: Server, path: str) -> None:
    _, headers = get(elsewhere, path, "localhost")
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "SAMEORIGIN"
    assert headers["referrer-policy"] == "no-referrer"


def test_the_metrics_page_is_closed(elsewhere: Server) -> None:
    assert get(elsewhere, "/_stcore/metrics", "localhost")[0] == 404
    assert get(elsewhere, "/_stcore/health", "localhost")[0] == 200


def test_it_listens_on_the_loopback_interface_only(elsewhere: Server) -> None:
    # 127.0.0.2 is this machine too: a server bound to all interfaces would answer there.
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.2", int(port_of(elsewhere))), timeout=5)


def test_ctrl_c_ends_it_in_order(tmp_path: Path) -> None:
    running = start_server(tmp_path)
    running.process.send_signal(signal.SIGINT)
    assert running.process.wait(60) == 0
    log = running.log.read_text()
    assert "Traceback" not in log
    assert f"Loss Lab is at {running.url}" in log


def refused(*argv: str, **environment: str) -> str:
    """The one line of a refused start."""
    done = subprocess.run(
        [sys.executable, "-m", "app", "--no-browser", *argv],
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    return done.stderr


def test_a_taken_port_is_refused() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        assert refused("--port", str(port)).startswith(f"Port {port} is taken")


def test_an_unwritable_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    line = refused("--port", str(free_port()), LOSSLAB_HOME=str(tmp_path / "file" / "runs"))
    assert "cannot be written" in line
    assert "LOSSLAB_HOME" in line


@pytest.mark.parametrize("argv", [["--port", "99999"], ["--port", "abc"], ["--prot", "8501"], ["--port"]])
def test_bad_options_are_refused(argv: list[str]) -> None:
    assert argv[0] in refused(*argv)
