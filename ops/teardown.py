"""`make down STACK=...`: the end of a real stack, said beforehand, confirmed by name, and audited afterwards."""

import re
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Annotated, Any

import typer

from infra.settings.aws import Aws
from ops import audit, aws, engine, settings, traces
from ops.errors import OpsError

_ACCOUNT = re.compile(r"arn:aws[a-z-]*:[a-z0-9-]*:[a-z0-9-]*:([0-9]{12}):")


def run(
    stack: Annotated[str, typer.Option("--stack", help="The stack to destroy.")],
    confirm: Annotated[str, typer.Option(help="The stack's name once more, where nobody can type it.")] = "",
) -> None:
    """Destroy a stack: say what will be lost, want its name typed, look for what is left; exit 1 when there is some."""
    state = engine.state(stack)
    read = settings.read(stack)
    of = traces.traces(read, state)
    resources = [each for each in state if each.get("custom") and not each["type"].startswith("pulumi:providers:")]
    if resources:
        same_place(state, read.settings.aws)
        unprotected(state, stack)
        print(f"All of the stack {stack} will be destroyed:\n")
        for line in losses(resources, of):
            print(f"  {line}")
        confirmed(stack, confirm)
        engine.watched("destroy", "--yes", "--skip-preview", "--stack", stack)
    else:
        print(f"The stack {stack} has no resources; looking for what may be left of it.")
    audit.tell(audit.audit(of))


def same_place(state: Iterable[Mapping[str, Any]], settings: Aws) -> None:
    """Raise OpsError when the state is of another AWS account or region than these credentials and settings.

    Destroyed from there, nothing would be found, and the state would forget what goes on costing.
    """
    state = list(state)
    for provider in (each for each in state if each["type"] == "pulumi:providers:aws"):
        region = provider.get("outputs", {}).get("region", settings.region)
        if region != settings.region:
            raise OpsError(
                f"The state is of the region {region}, and aws.region is {settings.region}. Nothing was destroyed. "
                f"Set it back: pulumi config set --path aws.region {region}"
            )
    here, known = aws.account(settings), accounts(state)
    if others := known - {here}:
        raise OpsError(
            f"The state is of the AWS account {', '.join(sorted(others))}, and these credentials are of {here}. "
            "Nothing was destroyed. Set AWS_PROFILE to a profile of the account in the state."
        )
    if not known:
        _owned(state, settings, here)


def _owned(state: Iterable[Mapping[str, Any]], settings: Aws, here: str) -> None:
    """Look for what has no account in its ARN, where nothing else of a half destroyed stack tells the account."""
    for each in state:
        try:
            with aws.doing(f"Looking for {each['type'].rpartition(':')[2]} {each.get('id')}"):
                if each["type"] == "aws:route53/zone:Zone":
                    aws.client("route53", settings).get_hosted_zone(Id=each["id"])
                elif each["type"] == "aws:s3/bucket:Bucket":
                    aws.client("s3", settings).head_bucket(Bucket=each["id"], ExpectedBucketOwner=here)
        except aws.RefusedError as error:
            raise OpsError(
                f"{error} It is in the state, and not to be seen in the AWS account {here}. Nothing was destroyed. Set "
                "AWS_PROFILE to a profile of its account; if it was deleted by hand, `pulumi refresh` first."
            ) from error


def accounts(state: Iterable[Mapping[str, Any]]) -> set[str]:
    """The accounts in the ARNs of the state's AWS resources. Zones and buckets have none in theirs."""
    arns = [each.get("outputs", {}).get("arn", "") for each in state if each["type"].startswith("aws:")]
    return {found[1] for arn in arns if (found := _ACCOUNT.match(arn))}


def unprotected(state: Iterable[Mapping[str, Any]], stack: str) -> None:
    """Raise OpsError when the state has protected resources, which Pulumi would refuse to delete halfway."""
    if names := [each["urn"].rpartition("::")[2] for each in state if each.get("protect")]:
        raise OpsError(
            f"The stack {stack} is protected ({', '.join(names)}). Nothing was destroyed. Take the protection away "
            f"first: pulumi config set protect false --stack {stack} && pulumi up --stack {stack}"
        )


def losses(resources: Iterable[Mapping[str, Any]], of: traces.Traces) -> Iterator[str]:
    """What will be lost, a line each: resources by type, and the data in those that hold some. Raises OpsError."""
    counted = Counter(each["type"].rpartition(":")[2] for each in resources)
    for type_, count in sorted(counted.items()):
        yield f"{count:3} {type_}"
    types = {each["type"]: each for each in resources}
    if "aws:s3/bucket:Bucket" in types:
        yield f"with the bucket {of.bucket}: {_counted(lambda: _objects(of))}"
    if zone := types.get("aws:route53/zone:Zone"):
        yield f"with the zone {of.domain}: {_counted(lambda: _records(of, zone['id']))}"
    if "pulumi-python:dynamic/ejemplo-django:RandomKey" in types:
        yield "with Django's key: every session and every signed link"


def confirmed(stack: str, given: str) -> None:
    """Have the stack's name typed. Raises OpsError when it is another, or when nobody can type."""
    if not given:
        if not sys.stdin.isatty():
            raise OpsError(
                f"Nobody can be asked, since there is no terminal. Nothing was destroyed. Add --confirm {stack}."
            )
        given = typer.prompt(f"\nType the stack's name to destroy it ({stack})")
    if given != stack:
        raise OpsError(f"{given!r} is not the stack's name, {stack!r}. Nothing was destroyed.")


def _objects(of: traces.Traces) -> str:
    versions = aws.every(of.aws, "s3", "list_object_versions", "Versions", Bucket=of.bucket)
    return f"{sum(each['IsLatest'] for each in versions)} objects, {len(versions)} versions"


def _records(of: traces.Traces, zone: str) -> str:
    names = [
        f"{each['Name'].rstrip('.')} {each['Type']}"
        for each in aws.records(of.aws, zone)
        # The zone's own at its top are no loss.
        if each["Name"] != f"{of.domain}." or each["Type"] not in ("NS", "SOA")
    ]
    return f"{len(names)} records ({', '.join(names)})" if names else "no records"


def _counted(count: Callable[[], str]) -> str:
    """What is in something of the state, which may be gone already."""
    try:
        return count()
    except aws.RefusedError as error:
        if error.code in ("NoSuchBucket", "NoSuchHostedZone"):
            return "gone already"
        raise
