"""AWS: whose credentials they are, and whether the world is sent to the stack's hosted zone."""

import json

import dns.exception
import dns.message
import dns.name
import dns.query
import dns.rdatatype
import dns.resolver
from botocore.exceptions import NoCredentialsError

from infra.config import Aws
from infra.finding import Finding, State
from ops import aws
from ops.errors import OpsError

SECONDS = 5.0
"""How long a name server may take."""


def identity(settings: Aws) -> Finding:
    """Ask AWS whose the credentials are, in the stack's region."""
    at = f" at {settings.endpoint}" if settings.endpoint else ""
    try:
        with aws.doing(f"STS in {settings.region}{at}"):
            caller = aws.client("sts", settings).get_caller_identity()
    except OpsError as error:
        if isinstance(error, aws.RefusedError):
            return Finding(check="AWS", state=State.WRONG, found=str(error), mend="aws sso login")
        silent = not isinstance(error.__cause__, NoCredentialsError)
        where = settings.endpoint or f"https://sts.{settings.region}.amazonaws.com"
        mend = f"curl --verbose {where}" if silent else "aws configure"
        return Finding(check="AWS", state=State.MISSING, found=str(error), mend=mend)
    found = f"account {caller['Account']} as {caller['Arn'].rpartition(':')[2]}, region {settings.region}{at}"
    return Finding(check="AWS", state=State.OK, found=found)


def delegation(settings: Aws, domain: str, *, resolver: dns.resolver.Resolver | None = None) -> Finding:
    """Compare the parent zone's NS record for the domain with the name servers of its hosted zone.

    `resolver` finds the parent's name servers, which are then asked themselves: a cache may be older. By default it
    is the machine's, and a zone behind `aws.endpoint` is left alone: it is not in the DNS that this machine sees.
    """
    check = "delegation"
    if settings.endpoint and resolver is None:
        found = f"the zones at {settings.endpoint} are in no public DNS"
        return Finding(check=check, state=State.NOT_NEEDED, found=found)
    try:
        zone = aws.zone(settings, domain)
        if zone is None:
            found = f"no hosted zone {domain} yet: delegate it when the first `up` has made it"
            return Finding(check=check, state=State.UNKNOWN, found=found)
        with aws.doing(f"Reading the hosted zone {zone}"):
            made = aws.client("route53", settings).get_hosted_zone(Id=zone)
        servers = {_plain(each) for each in made["DelegationSet"]["NameServers"]}
        parent, told = _told_by_parent(domain, resolver or dns.resolver.Resolver())
    except (OpsError, dns.exception.DNSException, OSError) as error:
        return Finding(check=check, state=State.UNKNOWN, found=str(error) or type(error).__name__)
    if told == servers:
        return Finding(check=check, state=State.OK, found=f"{parent} names {', '.join(sorted(servers))}")
    found = f"{parent} names {', '.join(sorted(told))}" if told else f"{parent} has no NS record for {domain}"
    return Finding(
        check=check,
        state=State.WRONG if told else State.MISSING,
        found=f"{found}; the hosted zone's are {', '.join(sorted(servers))}",
        mend=_delegate(settings, domain, parent, servers),
    )


def _told_by_parent(domain: str, resolver: dns.resolver.Resolver) -> tuple[str, set[str]]:
    """The parent zone's name, and the name servers that it gives for the domain. Raises DNSException or OSError."""
    resolver.lifetime = SECONDS
    name = dns.name.from_text(domain)
    parent = dns.resolver.zone_for_name(name.parent(), resolver=resolver)
    question = dns.message.make_query(name, dns.rdatatype.NS, flags=0)
    silent = ""
    for server in resolver.resolve(parent, "NS"):
        for address in resolver.resolve(server.target, "A"):
            try:
                answer, _ = dns.query.udp_with_fallback(question, address.address, timeout=SECONDS, port=resolver.port)
            except (dns.exception.DNSException, OSError) as error:
                silent = f"{server.target} of {parent} does not answer: {error}"
                continue
            # A referral is in the authority section; a server of both zones answers with the record itself.
            found = [each for each in (*answer.answer, *answer.authority) if each.name == name]
            told = {_plain(str(ns.target)) for each in found if each.rdtype == dns.rdatatype.NS for ns in each}
            return _plain(str(parent)), told
    raise OSError(silent or f"{parent} has no name server with an address")


def _delegate(settings: Aws, domain: str, parent: str, servers: set[str]) -> str:
    """The command where the parent zone is in the same account, otherwise what to tell whoever has it."""
    try:
        zone = aws.zone(settings, parent)
    except OpsError:
        zone = None
    if zone is None:
        return f"in the zone {parent}: {domain}. 300 NS {' '.join(f'{each}.' for each in sorted(servers))}"
    record = {
        "Name": domain,
        "Type": "NS",
        "TTL": 300,
        "ResourceRecords": [{"Value": f"{each}."} for each in sorted(servers)],
    }
    change = json.dumps({"Changes": [{"Action": "UPSERT", "ResourceRecordSet": record}]})
    return aws.command(
        settings,
        "route53",
        "change-resource-record-sets",
        "--hosted-zone-id",
        zone,
        "--change-batch",
        f"'{change}'",
    )


def _plain(name: str) -> str:
    return name.rstrip(".").lower()
