"""The check of a site over real HTTPS on loopback, and the deployment around it with the real pulumi."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import chain, repeat
from pathlib import Path
from typing import Any

import pytest
import trustme
from werkzeug import Request, Response

from ops import check_site, deploy, pulumi
from ops.check_site import Visit
from ops.command import OpsError
from tests.recorder import PROJECT
from tests.troubles import provoked
from tests.web_server import serving

HOST = "site.example.test"
GOOD = (200, '<dd id="version">v2</dd>')


@dataclass
class Site:
    """A site whose answers a test sets."""

    port: int
    authority: Path
    answers: Iterator[tuple[int, str]] = field(default_factory=lambda: repeat(GOOD))
    asked: int = 0

    def url(self, host: str = HOST) -> str:
        return f"https://{host}:{self.port}/"

    def passed(self, *, host: str = HOST, expect: str = "v2", authority: Path | None = None, within: float = 0) -> None:
        visit = Visit(url=self.url(host), expect=expect, authority=authority or self.authority, address="127.0.0.1")
        check_site.check(visit, within=within, pause=0.0)


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def site(authority: trustme.CA, tmp_path: Path) -> Iterator[Site]:
    def answer(request: Request) -> Response:
        assert request.host == f"{HOST}:{served.port}"
        served.asked += 1
        status, page = next(served.answers)
        return Response(page, status)

    authority.cert_pem.write_to_path(str(tmp_path / "ca.crt"))
    with serving(answer, certificate=authority.issue_cert(HOST)) as port:
        served = Site(port=port, authority=tmp_path / "ca.crt")
        yield served


def test_a_good_site_passes_after_a_row_of_answers_and_one_that_starts_is_waited_for(site: Site) -> None:
    site.answers = chain(repeat((503, ""), 3), repeat(GOOD))
    site.passed(within=20)
    assert site.asked == 3 + check_site.ROW


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ((500, "oops"), "it answered 500"),
        ((301, ""), "it answered 301"),
        ((200, "<dd>v2.1</dd>"), "the page does not show 'v2'"),
        ((200, "<h1>Welcome to nginx!</h1>"), "the page does not show 'v2'"),
    ],
)
def test_a_bad_answer_fails_by_its_reason_even_of_one_pod_of_two(
    site: Site, answer: tuple[int, str], reason: str
) -> None:
    site.answers = chain.from_iterable(repeat((GOOD, answer)))
    with pytest.raises(OpsError, match=f"{HOST}.* is not well: {reason}") as failed:
        site.passed()
    provoked("… is not well: …", str(failed.value))
    assert site.asked == 2


def test_a_certificate_that_does_not_verify_fails_and_so_does_a_site_that_is_not_there(
    site: Site, tmp_path: Path
) -> None:
    trustme.CA().cert_pem.write_to_path(str(tmp_path / "other.crt"))
    with pytest.raises(OpsError, match="CERTIFICATE_VERIFY_FAILED"):
        site.passed(authority=tmp_path / "other.crt")
    with pytest.raises(OpsError, match="Hostname mismatch"):
        site.passed(host="other.example.test")
    assert site.asked == 0
    with pytest.raises(OpsError, match="refused"):
        check_site.check(Visit(url=f"https://{HOST}:1/", address="127.0.0.1"), within=0)
    with pytest.raises(OpsError, match="does not begin with https://"):
        check_site.check(Visit(url=f"http://{HOST}/"), within=0)


@pytest.mark.usefixtures("aws")
def test_a_state_of_another_account_is_not_refreshed(project: Path) -> None:
    resource = {
        "urn": f"urn:pulumi:dev::{PROJECT}::aws:acm/certificate:Certificate::web",
        "type": "aws:acm/certificate:Certificate",
        "custom": True,
        "id": "1",
        "outputs": {"arn": "arn:aws:acm:us-east-1:000000000000:certificate/1"},
    }
    state = {"version": 3, "deployment": {"resources": [resource]}}
    pulumi.run("stack", "import", "--force", "--stack", "dev", stdin=json.dumps(state))
    with pytest.raises(OpsError, match="000000000000"):
        deploy.run(stack="dev")


def test_the_way_back_is_the_last_image_that_was_visited_well_and_is_kept_until_one_is_to_be_built(
    site: Site, project: Path, tmp_path: Path
) -> None:
    pulumi.run("config", "set", "--stack", "dev", "url", site.url())
    pulumi.run("config", "set", "--stack", "dev", "--path", "image.tag", "v2")
    pulumi.run("config", "set", "--stack", "dev", "--path", "image.digestFrom", "organization/other/prod#image")
    summary = tmp_path / "summary.md"
    where: dict[str, Any] = {"authority": site.authority, "address": "127.0.0.1", "within": 0}

    def built(digit: str) -> str:
        (project / "built").write_text(digest := f"sha256:{digit * 64}")
        return digest

    def deployed(digest: str = "") -> str:
        """Deploy, and return the digest that runs afterwards. Raises OpsError if the site is not well."""
        deploy.run(stack="dev", digest=digest, summary=summary, **where)
        return str(pulumi.outputs("dev")["image"].partition("@")[2])

    good = built("1")
    # An `up` by hand visits no site: nobody knows yet that this image is well.
    pulumi.run("up", "--yes", "--skip-preview", "--stack", "dev")
    for digit, before in (("2", check_site.ROW), ("3", 0)):
        built(digit)
        site.answers = chain(repeat(GOOD, before), repeat((500, "")))
        with pytest.raises(OpsError) as failed:
            deployed()
        _, why, *_, todo = str(failed.value).splitlines()
        assert "it answered 500" in why
        assert todo == f".venv/bin/python -m ops deploy --stack dev --digest {good}"
        assert todo in summary.read_text()

    site.answers = repeat((200, good.removeprefix("sha256:")[:12]))
    assert deployed(good) == good
    assert pulumi.settings("dev")["image"] == {"tag": "v2", "digest": good}
    (project / "Pulumi.dev.yaml").write_text((project / "Pulumi.dev.yaml").read_text().replace(good, ""))
    assert deployed() == good, "a later push, from a checkout that knows nothing of it, built again"
    assert "`--digest build` builds again" in summary.read_text()

    site.answers = repeat(GOOD)
    new = built("4")
    (project / "world").write_text("1")
    assert deployed("build") == new
    assert (project / "world").read_text() == "2", "what somebody changed by hand is still as they left it"
    assert deploy.tags("dev") == {deploy.VISITED: new}
    with pytest.raises(OpsError, match="found 'v1', expected sha256:"):
        deployed("v1")
