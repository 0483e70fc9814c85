"""AWS: whose credentials they are, and whether the world is sent to the stack's hosted zone."""

from botocore.exceptions import NoCredentialsError

from infra import lookup
from infra.finding import Finding, State
from infra.settings.aws import Aws
from infra.settings.delegation import DelegationSettings
from ops import aws
from ops.errors import OpsError


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


def delegation(settings: Aws, asked: DelegationSettings, *, port: int = 53) -> Finding:
    """See whether the DNS leads to the hosted zone, as the program does before anything waits for it."""
    check, domain = "delegation", asked.domain
    try:
        zone = aws.zone(settings, domain)
        if zone is None:
            return Finding(check=check, state=State.UNKNOWN, found=f"no hosted zone {domain} yet: `up` makes it")
        with aws.doing(f"Reading the hosted zone {zone}"):
            made = aws.client("route53", settings).get_hosted_zone(Id=zone)
        servers = made["DelegationSet"]["NameServers"]
        parent = lookup.verify(domain, servers, certified=asked.certified, resolver=asked.resolver, port=port)
        return Finding(check=check, state=State.OK, found=f"{parent} names {', '.join(sorted(servers))}")
    except OpsError as error:
        return Finding(check=check, state=State.UNKNOWN, found=str(error))
    except lookup.DelegationError as error:
        state = State.UNKNOWN if error.unknown else State.WRONG
        return Finding(check=check, state=state, found=error.problem, mend=_delegate(settings, asked, error))


def _delegate(settings: Aws, asked: DelegationSettings, error: lookup.DelegationError) -> str:
    """What to do: where the parent zone is in the same account, the program can make the record."""
    if not error.undelegated:
        return error.remedy
    if asked.parent_zone is not None:
        return "pulumi up --refresh"
    try:
        ours = aws.zone(settings, error.undelegated)
    except OpsError:
        ours = None  # the zone was found a moment ago: AWS is no longer to be asked
    return f"pulumi config set --path delegation.parentZone {error.undelegated}" if ours else error.remedy
