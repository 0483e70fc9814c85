"""The smoke test, against real HTTPS on loopback."""

import json
import ssl
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import chain, repeat
from pathlib import Path

import pytest
import trustme

from ops import deploy, engine, smoke, stack_making
from ops.errors import OpsError
from tests.fast.graph import Inputs, changed, declare
from tests.ops.conftest import PASSPHRASE
from tests.ops.test_new_stack import settled

HOST = "site.example.test"
IMAGE = f"registry.example.test:5000/contraslash/ejemplo-django@sha256:{'0f' * 32}"
GOOD = (200, '<dd id="version">v2</dd>')


@dataclass
class Site:
    """A site that answers what a test tells it to."""

    port: int
    authority: Path
    answers: Iterator[tuple[int, str]] = field(default_factory=lambda: repeat(GOOD))
    asked: int = 0

    def visit(self, *, host: str = HOST, version: str | None = "v2", authority: Path | None = None) -> smoke.Visit:
        return smoke.Visit(
            url=f"https://{host}:{self.port}/",
            version=version,
            authority=authority or self.authority,
            address="127.0.0.1",
        )


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def site(authority: trustme.CA, tmp_path: Path) -> Iterator[Site]:
    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

        def do_GET(self) -> None:
            served.asked += 1
            status, page = next(served.answers)
            self.send_response(status)
            self.send_header("Content-Length", str(len(page)))
            self.end_headers()
            self.wfile.write(page.encode())

    class Server(ThreadingHTTPServer):
        def handle_error(self, *_: object) -> None:
            """Say nothing: a visitor who does not trust the certificate hangs up."""

    server = Server(("127.0.0.1", 0), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(HOST).configure_cert(context)
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    authority.cert_pem.write_to_path(str(tmp_path / "ca.crt"))
    served = Site(port=server.server_port, authority=tmp_path / "ca.crt")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield served
    server.shutdown()
    thread.join()
    server.server_close()


def passed(visit: smoke.Visit, *, within: float = 0.0) -> None:
    smoke.check(visit, within=within, pause=0.0)


def test_a_good_site_passes_after_a_row_of_answers(site: Site) -> None:
    passed(site.visit())
    assert site.asked == smoke.ROW


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ((500, "oops"), "it answered 500"),
        ((404, GOOD[1]), "it answered 404"),
        ((301, ""), "it answered 301"),
        ((200, '<dd id="version">v1</dd>'), "the page shows version 'v1'"),
        ((200, "<h1>Welcome to nginx!</h1>"), "the page shows no version"),
    ],
)
def test_a_bad_answer_fails_the_test_by_its_reason(site: Site, answer: tuple[int, str], reason: str) -> None:
    site.answers = repeat(answer)
    with pytest.raises(OpsError, match=f"{HOST}.* failed the smoke test: {reason}"):
        passed(site.visit())


def test_any_version_passes_where_none_is_expected(site: Site) -> None:
    site.answers = repeat((200, "whatever"))
    passed(site.visit(version=None))


def test_a_certificate_of_another_authority_fails_the_test(site: Site, tmp_path: Path) -> None:
    trustme.CA().cert_pem.write_to_path(str(tmp_path / "other.crt"))
    with pytest.raises(OpsError, match="CERTIFICATE_VERIFY_FAILED"):
        passed(site.visit(authority=tmp_path / "other.crt"))
    assert site.asked == 0


def test_a_certificate_for_another_name_fails_the_test(site: Site) -> None:
    with pytest.raises(OpsError, match="Hostname mismatch"):
        passed(site.visit(host="other.example.test"))


def test_a_site_that_is_not_there_fails_the_test(site: Site) -> None:
    gone = smoke.Visit(url=f"https://{HOST}:1/", authority=site.authority, address="127.0.0.1")
    with pytest.raises(OpsError, match="refused"):
        passed(gone)


def test_plain_http_is_refused_before_anything_is_asked() -> None:
    with pytest.raises(OpsError, match="begins with https://"):
        passed(smoke.Visit(url="http://site.example.test/"))


def test_a_site_that_is_still_starting_is_waited_for(site: Site) -> None:
    site.answers = chain(repeat((503, ""), 3), repeat(GOOD))
    passed(site.visit(), within=20)
    assert site.asked == 3 + smoke.ROW


def test_one_bad_pod_of_two_fails_the_test(site: Site) -> None:
    site.answers = chain.from_iterable(repeat((GOOD, (500, ""))))
    with pytest.raises(OpsError, match="never answered 5 times running"):
        passed(site.visit())
    assert site.asked == 2


def test_the_way_back_is_a_setting_that_runs_the_image_that_was_well(config: Inputs) -> None:
    set_digest, up = deploy.way_back(stack="dev", digest=IMAGE.partition("@")[2])
    *_, path, digest = set_digest.split()
    assert declare(changed(config, {path: digest})).exports["image"] == IMAGE
    assert up == "pulumi up --stack dev"


@pytest.mark.timeout(120)  # a dozen runs of pulumi
def test_two_bad_deployments_in_a_row_leave_the_way_back_to_the_image_that_was_well(
    site: Site, project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    backend = f"file://{tmp_path}"
    stack_making.make(
        stack_making.Request(
            name="dev", backend=backend, secrets_provider="passphrase", settled=settled(), passphrase=PASSPHRASE
        )
    )
    digests = iter(f"sha256:{number * 64}" for number in "1234")

    def up(*_: str) -> None:
        """Leave in the state what an `up` leaves that builds another image."""
        stack = {"urn": "urn:pulumi:dev::ejemplo-django::pulumi:pulumi:Stack::ejemplo-django-dev", "custom": False}
        outputs = {"url": site.visit().url, "image": f"registry.example.com/team/app@{next(digests)}"}
        resources = [stack | {"type": "pulumi:pulumi:Stack", "outputs": outputs}]
        state = {"version": 3, "deployment": {"manifest": {"time": "2026-01-01T00:00:00Z"}, "resources": resources}}
        engine.pulumi("stack", "import", "--stack", "dev", stdin=json.dumps(state))

    monkeypatch.setattr(engine, "watched", up)
    up()
    for number, status in enumerate((500, 503)):
        # Before the first, what runs is visited, since nobody knows yet that it is well.
        site.answers = chain(repeat(GOOD, smoke.ROW if number == 0 else 0), repeat((status, "")))
        with pytest.raises(OpsError, match=f"it answered {status}") as failed:
            deploy.run(stack="dev", authority=site.authority, address="127.0.0.1", within=0)
        assert f"image.digest sha256:{'1' * 64}" in str(failed.value)

    site.answers = repeat((200, '<dd id="version">v1</dd>'))
    deploy.run(stack="dev", authority=site.authority, address="127.0.0.1", within=0, summary=tmp_path / "summary.md")
    assert deploy.visited("dev") == f"sha256:{'4' * 64}"
    assert f"before it ran `sha256:{'1' * 64}`" in (tmp_path / "summary.md").read_text()
