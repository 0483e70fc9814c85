"""After `make up` the site answers: by its name, over HTTPS, through the load balancer of AWS's controller."""

import http.client
import ssl
from contextlib import closing
from typing import Any

import dns.flags
import dns.message
import dns.query
import psutil
import pytest
import trustme

from sandbox.layout import Layout
from tests.e2e import cloud
from tests.e2e.machine import inhabitants, services
from tests.e2e.session import FirstUp, Times
from tests.e2e.site import Site, addresses_of, connect, resolver, trusting
from tests.e2e.stack import Stack

SERVICE = "service/ejemplo-django-service"


@pytest.fixture(scope="module")
def service(stack: Stack) -> Any:
    """Return the Service as it is in the cluster."""
    return stack.objects(SERVICE)


@pytest.fixture(scope="module")
def balancer(outputs: dict[str, Any]) -> Any:
    """Return the ELB whose DNS name is an output of the stack."""
    balancers = cloud.client("elb").describe_load_balancers()["LoadBalancerDescriptions"]
    found = [each for each in balancers if each["DNSName"] == outputs["hostname"]]
    assert len(found) == 1, f"{outputs['hostname']} is none of {[each['DNSName'] for each in balancers]}"
    return found[0]


@pytest.fixture(scope="module")
def listeners(balancer: Any) -> dict[int, Any]:
    """Return the ELB's listeners by port."""
    some = (each["Listener"] for each in balancer["ListenerDescriptions"])
    return {listener["LoadBalancerPort"]: listener for listener in some}


@pytest.fixture(scope="module")
def node_ports(service: Any) -> dict[str, int]:
    """Return the node's port for each port of the Service, by name."""
    return {port["name"]: port["nodePort"] for port in service["spec"]["ports"]}


def test_up_takes_under_two_minutes_with_a_warm_cache(first_up: FirstUp, times: Times) -> None:
    times.hold("`make up` with no sandbox running", first_up.done.seconds, limit=120)


def test_up_ends_with_the_site_and_what_to_do_next(first_up: FirstUp, outputs: dict[str, Any]) -> None:
    site, *others = first_up.done.out.splitlines()[-5:]
    assert site == f"{outputs['url']} answers 200, its certificate verified."
    assert [each.partition(":")[0] for each in others] == ["In a browser", "Logs", "Next", "To end it all"]


def test_up_says_which_plugins_run(first_up: FirstUp) -> None:
    lines = first_up.done.out.splitlines()
    begin = lines.index("Plugins of the engine:") + 1
    shown = [line.split()[0] for line in lines[begin : begin + 4]]
    assert shown == ["resource-aws", "resource-kubernetes", "resource-docker", "language-python"]


def test_the_hostname_is_what_the_service_shows_as_its_ingress(stack: Stack, outputs: dict[str, Any]) -> None:
    described = stack.kubectl("describe", SERVICE)
    [ingress] = [line for line in described.splitlines() if line.startswith("LoadBalancer Ingress:")]
    assert ingress.split()[2] == outputs["hostname"]
    assert outputs["hostname"].endswith(".elb.amazonaws.com")


def test_the_balancer_ends_tls_on_443_with_the_certificate_that_was_requested(
    listeners: dict[int, Any], node_ports: dict[str, int], outputs: dict[str, Any], site: Site
) -> None:
    listener = listeners[443]
    assert (listener["Protocol"], listener["InstanceProtocol"]) == ("HTTPS", "HTTP")
    assert listener["InstancePort"] == node_ports["https"]
    assert listener["SSLCertificateId"] == outputs["certificateArn"]
    certificates = cloud.client("acm").list_certificates()["CertificateSummaryList"]
    requested = {each["CertificateArn"]: each["DomainName"] for each in certificates}
    assert requested[listener["SSLCertificateId"]] == site.host


def test_the_balancer_speaks_plain_http_on_80_and_nothing_elsewhere(
    listeners: dict[int, Any], node_ports: dict[str, int]
) -> None:
    assert set(listeners) == {80, 443}
    assert (listeners[80]["Protocol"], listeners[80]["InstanceProtocol"]) == ("HTTP", "HTTP")
    assert listeners[80]["InstancePort"] == node_ports["http"]


def test_the_node_is_registered_with_the_balancer(stack: Stack, balancer: Any) -> None:
    nodes = stack.objects("nodes")["items"]
    instances = {node["spec"]["providerID"].rpartition("/")[2] for node in nodes}
    assert instances
    assert {each["InstanceId"] for each in balancer["Instances"]} == instances


def test_the_hosts_record_is_an_alias_of_the_balancer(outputs: dict[str, Any], site: Site) -> None:
    records = cloud.client("route53").list_resource_record_sets(HostedZoneId=outputs["zoneId"])
    [record] = [each for each in records["ResourceRecordSets"] if each["Name"].rstrip(".") == site.host]
    assert record["Type"] == "A"
    assert record["AliasTarget"]["DNSName"].rstrip(".") == outputs["hostname"]


def test_asked_over_dns_the_host_has_the_balancers_address(outputs: dict[str, Any], site: Site) -> None:
    [server] = addresses_of(outputs["nameServers"][0])
    question = dns.message.make_query(site.host, "A", flags=0)
    answer = dns.query.udp(question, server, timeout=5)
    assert answer.flags & dns.flags.AA, "the answer does not come from the zone itself"
    assert {each.address for rrset in answer.answer for each in rrset} == addresses_of(site.host)
    assert addresses_of(site.host) == addresses_of(outputs["hostname"]) != set()


def test_dns_denies_a_host_that_the_zone_does_not_have(outputs: dict[str, Any]) -> None:
    with pytest.raises(dns.resolver.NXDOMAIN):
        resolver().resolve("no-such-host.local.example.test", "A")


def test_the_zone_is_served_by_the_name_servers_that_the_stack_gives_out(outputs: dict[str, Any]) -> None:
    answer = resolver().resolve("local.example.test", "NS")
    assert sorted(record.to_text().rstrip(".") for record in answer) == sorted(outputs["nameServers"])


def test_the_page_answers_over_verified_https(site: Site, outputs: dict[str, Any]) -> None:
    answer = site.page()
    assert outputs["url"] == f"https://{site.host}/"
    assert "text/html" in answer.headers["Content-Type"]
    assert answer.pod.startswith("ejemplo-django-")


def test_the_certificate_is_for_that_host_alone(site: Site) -> None:
    with closing(site.connect()) as connection:
        certificate = _certificate(connection)
    assert certificate["subjectAltName"] == (("DNS", site.host),)


def test_a_certificate_of_another_authority_would_be_refused(site: Site) -> None:
    stranger = ssl.create_default_context()
    trustme.CA().configure_trust(stranger)
    [address] = addresses_of(site.host)
    with pytest.raises(ssl.SSLCertVerificationError, match="unable to get local issuer certificate"):
        connect(site.host, 443, address, stranger)


def test_a_certificate_for_another_host_would_be_refused(site: Site, layout: Layout) -> None:
    [address] = addresses_of(site.host)
    with pytest.raises(ssl.SSLCertVerificationError, match="Hostname mismatch"):
        connect("other.local.example.test", 443, address, trusting(layout.ca))


def test_both_replicas_answer(site: Site, stack: Stack) -> None:
    pods = stack.objects("pods", "--selector=app=ejemplo-django")["items"]
    alive = {pod["metadata"]["name"] for pod in pods if "deletionTimestamp" not in pod["metadata"]}
    assert len(alive) == 2
    # kube-proxy picks a pod at random for each connection: 40 on one pod have a chance of about 1 in 10^12.
    assert {site.page().pod for _ in range(40)} == alive


def test_plain_http_is_redirected_to_https(site: Site) -> None:
    answer = site.ask("/some/path?with=a&query", scheme="http")
    assert answer.status in (301, 308)
    assert answer.headers["Location"] == f"https://{site.host}/some/path?with=a&query"


@pytest.mark.parametrize("name", ["X-Forwarded-Proto", "x-forwarded-proto", "X_Forwarded_Proto"])
def test_a_client_cannot_talk_its_way_past_the_redirect(site: Site, name: str) -> None:
    answer = site.ask(scheme="http", headers={name: "https"})
    assert answer.status in (301, 308)
    assert answer.headers["Location"] == f"https://{site.host}/"


def test_a_client_cannot_make_https_redirect_for_ever(site: Site) -> None:
    assert site.ask(headers={"X-Forwarded-Proto": "http"}).status == 200


def test_browsers_are_told_to_stay_on_https(site: Site) -> None:
    assert "max-age=" in site.page().headers["Strict-Transport-Security"]


def test_another_host_is_refused_by_the_app(site: Site) -> None:
    for scheme in ("http", "https"):
        assert site.ask(scheme=scheme, headers={"Host": "attacker.example.org"}).status == 400


def test_the_probes_answer_for_the_balancer_over_both_protocols(site: Site) -> None:
    for scheme in ("http", "https"):
        for path in ("/healthz", "/readyz"):
            assert site.ask(path, scheme=scheme).status == 200


def test_nothing_of_it_listens_on_the_hosts_own_addresses(layout: Layout) -> None:
    inside = {process.pid for process in inhabitants(layout)}
    assert len(inside) > len(services(layout))
    # Every socket of the host's network namespace, by the process that holds it.
    held = [each for each in psutil.net_connections("inet") if each.pid in inside]
    assert [each for each in held if each.status == psutil.CONN_LISTEN] == []


def _certificate(connection: http.client.HTTPConnection) -> dict[str, Any]:
    assert isinstance(connection.sock, ssl.SSLSocket)
    certificate = connection.sock.getpeercert()
    assert certificate
    return dict(certificate)
