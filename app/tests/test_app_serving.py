"""The site as served by the real gunicorn with the project's own gunicorn.conf.py, on a free port."""

import errno
import http.client
import os
import re
import secrets
import selectors
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from email.message import Message
from pathlib import Path
from typing import IO

import pytest
import trustme

APP = Path(__file__).parents[1]
HOST = "www.example.test"
PRODUCTION = {"SECRET_KEY": secrets.token_urlsafe(50), "ALLOWED_HOSTS": HOST}
GUNICORN = (sys.executable, "-m", "gunicorn", "--bind", "127.0.0.1:0")
PATIENCE = 10.0  # seconds for what takes well under one
PATHS = ("/", "/healthz", "/readyz")


@dataclass(frozen=True, kw_only=True)
class Answer:
    """A response, read to its end."""

    status: int
    headers: Message
    body: str


@dataclass(frozen=True, kw_only=True)
class Server:
    """A running gunicorn and its port on loopback."""

    process: subprocess.Popen[str]
    port: int

    def connect(self) -> http.client.HTTPConnection:
        """Return a connection that opens with its first request and is kept until it is closed."""
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)

    def ask(self, method: str, path: str, *, host: str = HOST, proto: str | None = None) -> Answer:
        """Send one request; with `proto`, as the load balancer would."""
        headers = {"Host": host} | ({"X-Forwarded-Proto": proto} if proto else {})
        with closing(self.connect()) as connection:
            connection.request(method, path, headers=headers)
            response = connection.getresponse()
            return Answer(status=response.status, headers=response.headers, body=response.read().decode())

    def refuses(self) -> bool:
        """Return whether a new connection is refused, and not merely reset while the port closes."""
        with socket.socket() as client:
            client.settimeout(PATIENCE)
            return client.connect_ex(("127.0.0.1", self.port)) == errno.ECONNREFUSED


@contextmanager
def serve(variables: Mapping[str, str], *arguments: str, cwd: Path = APP) -> Iterator[Server]:
    """Run gunicorn with only these variables in its environment, and stop it at the end."""
    process = subprocess.Popen(  # noqa: S603  # a program of ours
        [*GUNICORN, *arguments],
        cwd=cwd,
        env=variables,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    try:
        listening = _read_until(process.stderr, r"Listening at: https?://127\.0\.0\.1:(\d+) ")
        yield Server(process=process, port=int(listening[1]))
    finally:
        process.terminate()
        try:
            process.communicate(timeout=PATIENCE)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)  # the workers too, which hold the pipes
            process.communicate()
            raise


def _read_until(stream: IO[str] | None, pattern: str) -> re.Match[str]:
    assert stream is not None
    deadline, said = time.monotonic() + PATIENCE, ""
    with selectors.DefaultSelector() as selector:
        selector.register(stream, selectors.EVENT_READ)
        while selector.select(deadline - time.monotonic()) and (some := os.read(stream.fileno(), 4096)):
            said += some.decode()
            if found := re.search(pattern, said):
                return found
    raise AssertionError(f"{pattern!r} is not in what gunicorn said:\n{said}")


@pytest.fixture(scope="module")
def balanced() -> Iterator[Server]:
    """Serve as in production behind a load balancer, with names that are not safe as HTML."""
    names = {"VERSION": "v1 <b>&", "POD_NAME": '"><script>pod'}
    with serve({**PRODUCTION, **names, "BEHIND_TLS_BALANCER": "true"}) as server:
        yield server


@pytest.fixture(scope="module")
def direct() -> Iterator[Server]:
    """Serve as in production with no load balancer to trust."""
    with serve(PRODUCTION) as server:
        yield server


@pytest.fixture(scope="module")
def encrypted() -> Iterator[Server]:
    """Serve as in production behind a load balancer that accepts only HTTPS and adds no header."""
    with serve({**PRODUCTION, "ONLY_HTTPS": "true"}) as server:
        yield server


@pytest.mark.parametrize("claim", ["http", "https", "ftp", None])
def test_where_there_is_only_https_no_header_makes_it_anything_else(encrypted: Server, claim: str | None) -> None:
    answer = encrypted.ask("GET", "/", proto=claim)
    assert answer.status == 200
    assert "max-age=86400" in answer.headers["Strict-Transport-Security"]


@pytest.mark.parametrize("claim", ["http", "https"])
def test_with_no_balancer_to_trust_the_header_means_nothing(direct: Server, claim: str) -> None:
    answer = direct.ask("GET", "/", proto=claim)
    assert answer.status == 200
    assert "Strict-Transport-Security" not in answer.headers


def test_where_no_balancer_ends_tls_gunicorn_does_and_takes_up_a_renewed_certificate(tmp_path: Path) -> None:
    ca = trustme.CA()
    trust = ssl.create_default_context(cadata=ca.cert_pem.bytes().decode())

    def renew() -> bytes:
        leaf = ca.issue_cert(HOST)
        leaf.cert_chain_pems[0].write_to_path(tmp_path / "tls.crt")
        leaf.private_key_pem.write_to_path(tmp_path / "tls.key")
        return leaf.cert_chain_pems[0].bytes()

    def served(port: int) -> tuple[bytes, str]:
        with (
            socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as plain,
            trust.wrap_socket(plain, server_hostname=HOST) as tls,
        ):
            found = tls.getpeercert(binary_form=True)
            lines = ("GET / HTTP/1.1", f"Host: {HOST}", "X-Forwarded-Proto: http", "Connection: close", "", "")
            tls.sendall("\r\n".join(lines).encode())
            said = b"".join(iter(lambda: tls.recv(65536), b"")).decode()
        assert found is not None
        return ssl.DER_cert_to_PEM_cert(found).encode(), said

    first = renew()
    with serve({**PRODUCTION, "TLS_FOLDER": str(tmp_path)}) as server:
        certificate, said = served(server.port)
        assert certificate == first
        assert said.startswith("HTTP/1.1 200 ")
        assert "Strict-Transport-Security" in said
        renewed = renew()
        assert served(server.port)[0] == renewed


def test_the_page_shows_the_version_and_the_pod_as_text_not_as_html(balanced: Server) -> None:
    answer = balanced.ask("GET", "/")
    assert answer.status == 200
    assert '<dd id="version">v1 &lt;b&gt;&amp;</dd>' in answer.body
    assert '<dd id="pod">&quot;&gt;&lt;script&gt;pod</dd>' in answer.body


def test_the_page_brings_all_it_needs_and_is_kept_by_no_cache(balanced: Server) -> None:
    answer = balanced.ask("GET", "/")
    assert not re.search(r'(src|href)="(?!data:|/")', answer.body)
    assert "no-store" in answer.headers["Cache-Control"]


def test_the_page_cannot_be_framed_nor_its_type_guessed(balanced: Server) -> None:
    headers = balanced.ask("GET", "/").headers
    assert (headers["X-Frame-Options"], headers["X-Content-Type-Options"]) == ("DENY", "nosniff")


@pytest.mark.parametrize("path", PATHS)
def test_head_is_get_without_the_body(balanced: Server, path: str) -> None:
    get, head = balanced.ask("GET", path), balanced.ask("HEAD", path)
    assert (head.status, head.body) == (200, "")
    assert head.headers["Content-Length"] == get.headers["Content-Length"]


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
def test_methods_that_would_change_something_are_not_allowed(balanced: Server, method: str, path: str) -> None:
    answer = balanced.ask(method, path)
    assert (answer.status, answer.headers["Allow"]) == (405, "GET, HEAD")


@pytest.mark.parametrize("path", ["/nothing", "/healthz/", "//"])
def test_an_unknown_path_gets_a_page_that_leads_back(balanced: Server, path: str) -> None:
    answer = balanced.ask("GET", path)
    assert (answer.status, answer.headers.get_content_type()) == (404, "text/html")
    assert 'href="/"' in answer.body


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("proto", [None, "http", "https"])
def test_a_host_that_is_not_ours_is_refused_and_never_redirected_to(
    balanced: Server, path: str, proto: str | None
) -> None:
    assert balanced.ask("GET", path, host="evil.example", proto=proto).status == 400


@pytest.mark.parametrize("host", [HOST, f"{HOST}:80"])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_what_came_to_the_balancer_by_http_is_sent_to_the_same_address_on_https(
    balanced: Server, method: str, host: str
) -> None:
    answer = balanced.ask(method, "/a%20b?c=d&e=%2F", host=host, proto="http")
    assert (answer.status, answer.headers["Location"]) == (301, f"https://{HOST}/a%20b?c=d&e=%2F")


def test_what_came_by_https_is_served_and_stays_on_https(balanced: Server) -> None:
    answer = balanced.ask("GET", "/", proto="https")
    assert answer.status == 200
    assert re.fullmatch(r"max-age=[1-9]\d*", answer.headers["Strict-Transport-Security"])


def test_what_came_past_the_balancer_is_served_where_it_is(balanced: Server) -> None:
    answer = balanced.ask("GET", "/")
    assert (answer.status, answer.headers["Strict-Transport-Security"]) == (200, None)


@pytest.mark.parametrize("proto", [None, "http", "https"])
@pytest.mark.parametrize(("path", "says"), [("/healthz", "alive\n"), ("/readyz", "ready\n")])
def test_probes_are_answered_however_they_come(balanced: Server, path: str, says: str, proto: str | None) -> None:
    answer = balanced.ask("GET", path, proto=proto)
    assert (answer.status, answer.body) == (200, says)


@pytest.mark.parametrize("proto", ["http", "https"])
def test_without_a_trusted_balancer_its_header_means_nothing(direct: Server, proto: str) -> None:
    answer = direct.ask("GET", "/", proto=proto)
    assert (answer.status, answer.headers["Strict-Transport-Security"]) == (200, None)


def test_a_path_cannot_forge_a_line_of_the_access_log_and_a_query_is_not_in_it(direct: Server) -> None:
    direct.ask("GET", "/forged%0A%22line?token=hunter2")
    line = _read_until(direct.process.stdout, r"(?m)^.*/forged.*\n")[0]
    assert '"GET /forged%0A%22line HTTP/1.1"' in line
    assert "hunter2" not in line


def test_it_runs_alone_with_nothing_but_debug() -> None:
    with serve({"DEBUG": "True"}) as server:
        answer = server.ask("GET", "/", host=f"localhost:{server.port}")
    assert answer.status == 200
    assert socket.gethostname() in answer.body


def test_a_pod_that_cannot_make_the_page_is_alive_but_not_ready(tmp_path: Path) -> None:
    broken = tmp_path / "app"
    shutil.copytree(APP, broken, ignore=shutil.ignore_patterns("tests", "page.html", "__pycache__"))
    with serve(PRODUCTION, cwd=broken) as server:
        statuses = [server.ask("GET", path).status for path in ("/healthz", "/readyz")]
        server.process.terminate()
        _, said = server.process.communicate(timeout=PATIENCE)
    assert statuses == [200, 500]
    assert "TemplateDoesNotExist: page.html" in said


@pytest.mark.parametrize("name", ["SECRET_KEY", "ALLOWED_HOSTS"])
def test_a_setting_that_is_missing_ends_the_start_by_its_name(name: str) -> None:
    run = _run({**PRODUCTION, name: ""}, *GUNICORN)
    assert run.returncode != 0
    assert f"ImproperlyConfigured: {name} is not set" in run.stderr
    assert "Listening at" not in run.stderr


@pytest.mark.parametrize("balancer", ["true", "false"])
def test_django_finds_nothing_to_warn_about_in_production(balancer: str) -> None:
    check = (sys.executable, "manage.py", "check", "--deploy", "--fail-level", "WARNING")
    run = _run({**PRODUCTION, "BEHIND_TLS_BALANCER": balancer}, *check)
    assert (run.returncode, run.stderr) == (0, "")


def test_the_port_is_the_environments_and_the_balancer_is_the_one_to_close_idle_connections() -> None:
    run = _run({**PRODUCTION, "PORT": "8123"}, sys.executable, "-m", "gunicorn", "--print-config")
    config = dict(line.split("=", 1) for line in run.stdout.replace(" ", "").splitlines() if "=" in line)
    assert config["bind"] == "['0.0.0.0:8123']"
    assert int(config["keepalive"]) > 60  # a classic ELB's default idle timeout


def test_sigterm_refuses_the_new_and_ends_what_was_begun() -> None:
    blocking = ("--pythonpath", str(Path(__file__).parent), "blocking:application")
    with serve({}, *blocking) as server, closing(server.connect()) as kept, closing(server.connect()) as slow:
        kept.request("GET", "/")
        assert kept.getresponse().read() == b"begun "
        slow.putrequest("POST", "/")
        slow.putheader("Content-Length", "5")
        slow.endheaders()
        answer = slow.getresponse()
        assert answer.read(6) == b"begun "

        server.process.terminate()
        deadline = time.monotonic() + PATIENCE
        while not server.refuses():
            assert time.monotonic() < deadline

        # A connection that the load balancer kept gets one more answer, which announces that it closes.
        kept.request("GET", "/")
        last = kept.getresponse()
        assert (last.read(), last.headers["Connection"]) == (b"begun ", "close")
        slow.send(b"ended")
        assert answer.read() == b"ended"
        slow.close()
        assert server.process.wait(timeout=PATIENCE) == 0


def _run(variables: Mapping[str, str], *command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603  # a program of ours
        command, cwd=APP, env=variables, text=True, capture_output=True, timeout=PATIENCE, check=False
    )
