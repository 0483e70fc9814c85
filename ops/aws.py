"""AWS clients for a stack: region and endpoint come from its settings, credentials from the environment."""

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from infra import aws_client
from infra.guards import marked_in_aws
from infra.guards.marked_in_aws import flat
from infra.ownership import NAME, is_marked, is_of
from infra.settings.aws import Aws
from ops.command import OpsError

_ACCOUNT = re.compile(r"arn:aws[a-z-]*:[a-z0-9-]*:[a-z0-9-]*:([0-9]{12}):")


def client(service: str, settings: Mapping[str, Any], *, region: str = "") -> Any:
    """Return a client of a service, such as sts. `settings` are the stack's; `region` overrides theirs."""
    where = settings.get("aws") or {}
    # Not validated: the doctor asks before a preview does that.
    return aws_client.connect(
        service, Aws.model_construct(region=region or where.get("region"), endpoint=where.get("endpoint"))
    )


@contextmanager
def doing(what: str) -> Iterator[None]:
    """Raise OpsError for an error of the SDK; its message begins with `what`, such as "The account was not found."."""
    try:
        yield
    except (ClientError, BotoCoreError) as error:
        todo = "Set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, and see: aws sts get-caller-identity"
        raise OpsError(what, f"{error}.", todo) from error


def account(settings: Mapping[str, Any]) -> str:
    """Return the account of the credentials. Raises OpsError when AWS refuses them or does not answer."""
    with doing("The AWS account of these credentials could not be looked up."):
        return str(client("sts", settings).get_caller_identity()["Account"])


def same_account(state: Iterable[Mapping[str, Any]], settings: Mapping[str, Any]) -> None:
    """Raise OpsError when the state belongs to another AWS account than these credentials.

    With the wrong account a refresh finds nothing and drops the resources from the state, and they go on costing.
    """
    arns = [str((each.get("outputs") or {}).get("arn")) for each in state if each["type"].startswith("aws:")]
    known = {found[1] for arn in arns if (found := _ACCOUNT.match(arn))}
    if known and (others := known - {here := account(settings)}):
        raise OpsError(
            "Nothing was changed.",
            f"The state is of the AWS account {', '.join(sorted(others))}, and these credentials are of {here}.",
            "Set AWS_PROFILE to a profile of the account in the state.",
        )


def tagged(settings: Mapping[str, Any], key: str, value: str) -> list[str]:
    """Return the ARNs of everything with this tag, in the stack's region and global. Raises OpsError.

    What has the mark of another domain is left out: another copy of this project may have a stack of the same name.
    """
    region = str(settings["aws"]["region"])
    filters = [{"Key": key, "Values": [value]}]
    found = set()
    with doing(f"The resources with the tag {key} could not be listed."):
        # Global services, such as Route 53 and IAM, are listed in us-east-1 only.
        for where in {region, "us-east-1"}:
            pages = client("resourcegroupstaggingapi", settings, region=where).get_paginator("get_resources")
            for page in pages.paginate(TagFilters=filters):
                listed = page["ResourceTagMappingList"]
                found |= {each["ResourceARN"] for each in listed if is_of(settings["domain"], flat(each["Tags"]))}
    return sorted(arn for arn in found if arn.split(":")[3] in ("", region))


def goes(settings: Mapping[str, Any], key: str) -> bool:
    """Return whether a KMS key is scheduled for deletion, which takes 7 days or more. Raises OpsError."""
    with doing(f"The state of the KMS key {key} could not be looked up."):
        return str(client("kms", settings).describe_key(KeyId=key)["KeyMetadata"]["KeyState"]) == "PendingDeletion"


def untagged(settings: Mapping[str, Any], stack: str) -> Iterator[str]:
    """Yield the ARNs of what `tagged` cannot find of a stack, `<project>/<stack>`: its zone and its roles.

    A zone gets its tags in a second call, which may not have come. AWS lists no roles by tag
    (https://docs.aws.amazon.com/resourcegroupstagging/latest/APIReference/supported-services.html). Raises OpsError.
    """
    domain = str(settings["domain"])
    zone = marked_in_aws.Search(
        stack=stack,
        domain=domain,
        name="zone",
        type="aws:route53/zone:Zone",
        inputs={"name": domain},
        client=lambda service: client(service, settings),
    )
    what = f"The zone and the roles of {stack} could not be looked for."
    try:
        with doing(what):
            yield from (f"arn:aws:route53:::hostedzone/{id_}" for id_ in marked_in_aws.find(zone))
            if (settings.get("cluster") or {}).get("driver") != "eks":  # no other one makes roles of this name
                return
            iam = client("iam", settings)
            for page in iam.get_paginator("list_roles").paginate():
                # ops/policies/deploy-eks.json allows no other names.
                for each in (role for role in page["Roles"] if role["RoleName"].startswith("cluster-")):
                    try:
                        tags = flat(iam.list_role_tags(RoleName=each["RoleName"])["Tags"])
                    except iam.exceptions.NoSuchEntityException:  # somebody else deleted it meanwhile
                        continue
                    if NAME in tags and is_marked(tags, stack=stack, domain=domain):
                        yield str(each["Arn"])
    except PermissionError as error:
        raise OpsError(what, f"{error}.", "docs/ci.md lists the rights that a deployment needs.") from error
