"""All settings of a stack, and how they are read from the values in its file."""

import json
import re
from collections.abc import Mapping
from functools import cache
from typing import Annotated, Any, cast

from pydantic import Field, TypeAdapter, ValidationError, ValidationInfo, field_validator

from infra.balancer_kind import BalancerKind
from infra.cluster.eks.settings import EksSettings
from infra.cluster.existing.settings import ExistingSettings
from infra.cluster.kops.settings import KopsSettings
from infra.settings import problems, schema
from infra.settings.app import App
from infra.settings.aws import Aws, Region
from infra.settings.delegation import Delegation, DelegationSettings
from infra.settings.image import Image, Platform
from infra.settings.needs import Needs
from infra.settings.problems import Encrypted, Problem, RefusedError
from infra.settings.registry import Registry
from infra.settings.section import Facts, Section, expected, facts, must, refused
from infra.settings.values import HostName, Label, host_name

LONGEST_DOMAIN = 63 - len("clusters.")
"""Characters: S3 allows 63 in the name of the state bucket, clusters.<domain>."""
LONGEST_HOST = 64
"""Characters that ACM certifies as the first name of a certificate (RequestCertificate in its API reference)."""

ClusterSettings = EksSettings | ExistingSettings | KopsSettings
"""The cluster, by its driver; `infra.cluster` has a folder for each."""


Domain = Annotated[
    HostName,
    must(
        lambda domain: len(domain) <= LONGEST_DOMAIN,
        f"at most {LONGEST_DOMAIN} characters, since the bucket clusters.<domain> may have 63",
    ),
]
CertificateArn = Annotated[
    str, expected("the ARN of a certificate such as arn:aws:acm:us-east-1:<account>:certificate/<id>")
]


def _by_default() -> Any:
    # Nothing but defaults, which are checked like an object that is given.
    return Field(default_factory=lambda: cast(Any, {}))


class Settings(Section):
    """All of it."""

    domain: Domain
    """The hosted zone that the stack makes in Route 53, of at most 54 characters. The parent zone must name its name
    servers: see `delegation`. The state bucket is called clusters.<domain>."""
    host: Annotated[str, expected("a DNS name in lower case such as www.dev.example.com")] = ""
    """Where the site answers: the domain itself or a name beneath it, of at most 64 characters. Empty means
    ejemplo-django.<domain>."""
    certificate_arn: CertificateArn | None = None
    """The ARN of a certificate in ACM for the host, in `aws.region`, issued or imported by somebody else. Without it,
    and when it is empty, one is requested, and proved to ACM through the hosted zone."""
    namespace: Label = "default"
    """The namespace in the cluster, which must exist."""
    protect: bool = True
    """Whether the hosted zone, the state bucket and an ECR repository are kept from deletion: by Pulumi, and by AWS
    while they are not empty. Set it to false, and bring the stack up once, before it is destroyed."""
    delegation: Delegation = _by_default()
    aws: Aws
    cluster: Annotated[ClusterSettings, Field(discriminator="driver")]
    """Where the app runs. docs/clusters.md tells how to choose the driver."""
    registry: Registry
    """Where the image is pushed to and pulled from."""
    image: Image = _by_default()
    app: App = _by_default()

    @field_validator("host")
    @classmethod
    def _in_the_domain(cls, given: str, info: ValidationInfo) -> str:
        domain = info.data.get("domain")
        if not given and domain is None:
            return given
        host = given or f"ejemplo-django.{domain}"
        if len(host) > LONGEST_HOST:
            found = None if given else f"none, which means {host}"
            raise refused(f"at most {LONGEST_HOST} characters, the most that ACM certifies", found=found)
        if domain and host != domain and not host.endswith(f".{domain}"):
            raise refused(f"the domain {domain} or a name beneath it, since its records go into that zone")
        return host_name(host)

    @field_validator("certificate_arn")
    @classmethod
    def _of_the_region(cls, arn: str | None, info: ValidationInfo) -> str | None:
        # A balancer takes a certificate from its own region and nowhere else.
        match = re.fullmatch(r"arn:aws[a-z-]*:acm:([a-z0-9-]+):[0-9]{12}:certificate/[0-9a-zA-Z-]+", arn or "")
        region = facts(info).region
        if arn and not match:
            raise refused("")
        if match and region and match[1] != region:
            raise refused(f"the ARN of a certificate in {region}, where the balancer is")
        return arn or None

    @property
    def delegated(self) -> DelegationSettings:
        """What has to lead to the hosted zone, and for which host."""
        return DelegationSettings(
            domain=self.domain,
            certified=None if self.certificate_arn else self.host,
            parent_zone=self.delegation.parent_zone,
            resolver=self.delegation.resolver,
        )

    @property
    def needs(self) -> Needs:
        """What all of it needs of the cluster."""
        return Needs(
            namespace=self.namespace,
            platform=self.image.platform,
            balancer=self.cluster.balancer,
            service="ejemplo-django-service",
            tls_secret=self.app.tls_secret or "",
        )


@cache
def described() -> schema.Node:
    """Give the schema of all settings; it is made once, and not to be changed."""
    return schema.of(Settings)


def read(values: Mapping[str, object], *, encrypted: Encrypted, stack: str) -> Settings:
    """Read the values in a stack's file, by their keys; `stack` is its `<project>/<stack>`.

    Raises RefusedError with everything that is wrong.
    """
    plain = _plain_secrets(values, encrypted=encrypted)
    wrong: list[Problem] = []
    try:
        # As JSON, in which a list is a tuple's only form and strict types are those of the file.
        settings = Settings.model_validate_json(
            json.dumps(values), context=_facts(values, stack), by_alias=True, by_name=False
        )
    except ValidationError as error:
        wrong = problems.told(error, described(), encrypted=encrypted)
    unknown = {each.key for each in wrong if each.found == problems.UNKNOWN_KEY}
    refused_plain = {key: each for key, each in plain.items() if key not in unknown}
    wrong = [each for each in wrong if each.key not in refused_plain] + list(refused_plain.values())
    if wrong:
        raise RefusedError(wrong)
    return settings


def _plain_secrets(values: Mapping[str, object], *, encrypted: Encrypted) -> dict[str, Problem]:
    """The secrets that stand in the file for everybody to read, by their keys."""
    found = {}
    for section, name in schema.secrets(described()):
        inside = values.get(str(section))
        if isinstance(inside, dict) and isinstance(inside.get(name), str) and not encrypted((section, name)):
            key = f"{section}.{name}"
            command = f"pulumi config set --secret --path {key}"
            what = f"an encrypted value: change it where it is used, and set the new one by {command}"
            found[key] = Problem(key=key, found="plain text", expected=what)
    return found


def _facts(values: Mapping[str, object], stack: str) -> Facts:
    """What sections are compared with, each fact for itself, so that one mistake hides no other."""

    def fact(type_: Any, section: str, key: str = "", default: object = None) -> Any:
        found = values.get(section)
        if key:
            found = found.get(key, default) if isinstance(found, dict) else default
        try:
            return TypeAdapter(type_).validate_json(json.dumps(found))
        except ValidationError:
            return None

    balancer = fact(BalancerKind, "cluster", "balancer", BalancerKind.CLASSIC)
    if balancer is BalancerKind.NONE and fact(str, "cluster", "driver") != "existing":
        balancer = None  # which is refused where it stands
    return Facts(
        stack=stack,
        domain=fact(Domain, "domain"),
        region=fact(Region, "aws", "region"),
        platform=fact(Platform, "image", "platform", Image.model_fields["platform"].default),
        registry_driver=fact(str, "registry", "driver", "login"),
        balancer=balancer,
    )
