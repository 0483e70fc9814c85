"""All settings of a stack, read from the values in its file."""

import json
import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Annotated, Any, cast

from pydantic import AfterValidator, Field, TypeAdapter, ValidationError, ValidationInfo, field_validator

from infra import context
from infra.balancer_kind import BalancerKind
from infra.cluster.eks.settings import EksSettings
from infra.cluster.existing.settings import ExistingSettings
from infra.cluster.kops.settings import KopsSettings
from infra.settings import problems, schema
from infra.settings.app import App, AppName, misfit
from infra.settings.aws import Aws, Region
from infra.settings.delegation import Delegation, DelegationSettings
from infra.settings.image import Image, Platform
from infra.settings.machines import EACH_ONCE
from infra.settings.namespace import Namespace
from infra.settings.needs import Needs
from infra.settings.problems import Encrypted, Problem, RefusedError
from infra.settings.registry import Registry
from infra.settings.section import Facts, Place, Section, expected, facts, must, refused, refused_within
from infra.settings.values import HostName, host_name
from infra.settings.zone import Zone

LONGEST_BUCKET = 63
"""The maximum length of a bucket's name in S3, in characters."""
LONGEST_DOMAIN = LONGEST_BUCKET - len("clusters.")
"""The maximum length in characters: the bucket is clusters.<domain>."""
LONGEST_HOST = 64
"""The maximum length of the first name of an ACM certificate (RequestCertificate in its API reference), in
characters."""
MOST_HOSTS = 10
"""The number of names that ACM allows in a certificate by default (its quotas)."""

_SECRET_FILES = (("registry", "passwordFile"), ("cluster", "kubeconfigFile"))
"""The keys that name a file with a secret."""

ClusterSettings = EksSettings | ExistingSettings | KopsSettings
"""The cluster, by its driver; `infra.cluster` has a folder for each."""


Domain = Annotated[
    HostName,
    must(
        lambda domain: len(domain) <= LONGEST_DOMAIN,
        f"at most {LONGEST_DOMAIN} characters, because the bucket clusters.<domain> may have 63",
    ),
]


def _in_the_domain(host: str, info: ValidationInfo) -> str:
    domain = facts(info).domain
    if domain and host != domain and not host.endswith(f".{domain}"):
        raise refused(f"the domain {domain} or a name under it, because its records go into that zone")
    return host


Hosts = Annotated[
    tuple[Annotated[HostName, AfterValidator(_in_the_domain)], ...],
    expected(f"a list of 1 to {MOST_HOSTS} DNS names in lower case", max_length=MOST_HOSTS),
    EACH_ONCE,
]
CertificateArn = Annotated[
    str, expected("the ARN of a certificate such as arn:aws:acm:us-east-1:<account>:certificate/<id>")
]


def _by_default(**values: object) -> Any:
    # Defaults are checked like an object from the file.
    return Field(default_factory=lambda: cast(Any, values))


def _bucket(domain: str, app: str) -> str:
    return ".".join(filter(None, ("clusters", app, domain)))


class Settings(Section):
    """All settings of a stack."""

    domain: Domain
    """The name of the hosted zone in Route 53, at most 54 characters. The parent zone must delegate to it, see
    `delegation`. The state bucket is clusters.<domain> or, with `zone.existing`, clusters.<app.name>.<domain>; it keeps
    the name with which it was created."""
    hosts: Hosts = ()
    """The site's host names: the domain itself or names under it. The first, at most 64 characters, is the main one,
    which the output `url` has. Default: <app.name>.<domain>. Redirects from one host to another are up to the app."""
    certificate_arn: CertificateArn | None = None
    """The ARN of a certificate in ACM for all hosts, in `aws.region`, requested or imported outside the program. If
    missing or empty, the program requests one and validates it through the hosted zone."""
    protect: bool = True
    """Whether to protect what the program created from deletion: the hosted zone, the state bucket, the cluster and the
    key of its secrets, an ECR repository, the namespace and random secrets. Pulumi then refuses to delete them, EKS
    refuses to delete the cluster, and AWS refuses to delete what is not empty. Before you destroy the stack, set it to
    false and run `up` once."""
    zone: Zone = _by_default()
    namespace: Annotated[Namespace, expected("an object with the name under namespace.name")] = _by_default(
        name="default", existing=True
    )
    delegation: Delegation = _by_default()
    aws: Aws
    cluster: Annotated[ClusterSettings, Field(discriminator="driver")]
    """The cluster in which the app runs. docs/aws.md tells how to choose the driver."""
    registry: Registry
    """The registry of the image."""
    image: Image = _by_default()
    app: App

    @field_validator("hosts")
    @classmethod
    def _at_least_one(cls, given: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        domain, app = facts(info).domain, facts(info).app
        hosts = (host_name(f"{app}.{domain}"),) if domain and app and not given else given
        if hosts and len(hosts[0]) > LONGEST_HOST:
            found = hosts[0] if given else f"none, which means {hosts[0]}"
            raise refused(f"at most {LONGEST_HOST} characters in the first host, the limit of ACM", found=found)
        return hosts

    @field_validator("zone")
    @classmethod
    def _with_room_for_a_bucket(cls, zone: Zone, info: ValidationInfo) -> Zone:
        domain, app = facts(info).domain, facts(info).app
        if zone.existing and domain and app and len(name := _bucket(domain, app)) > LONGEST_BUCKET:
            what = f"a shorter app.name or domain: the bucket {name} may have {LONGEST_BUCKET} characters"
            refused_within([(("existing",), True, refused(what))])
        return zone

    @field_validator("image")
    @classmethod
    def _without_the_stack_s_own_secrets(cls, image: Image, info: ValidationInfo) -> Image:
        built = not (image.digest or image.digest_from)
        for key, path in facts(info).secret_files.items():
            if built and context.takes(image.context, image.file, path):
                what = f"a directory without {path}, the file of {key}, which would end up in the image: .dockerignore"
                refused_within([(("context",), image.context, refused(f"{what} can exclude it"))])
        return image

    @field_validator("app")
    @classmethod
    def _as_whom_the_image_runs(cls, app: App, info: ValidationInfo) -> App:
        image = info.data.get("image")
        key, words = misfit(image.user if image else None, by_number=app.user, root=app.root)
        refused_within([((key,), None, refused(words, found="nothing"))] if key else [])
        return app

    @field_validator("certificate_arn")
    @classmethod
    def _of_the_region(cls, arn: str | None, info: ValidationInfo) -> str | None:
        # A balancer takes certificates of its own region only.
        match = re.fullmatch(r"arn:aws[a-z-]*:acm:([a-z0-9-]+):[0-9]{12}:certificate/[0-9a-zA-Z-]+", arn or "")
        region = facts(info).region
        if arn and not match:
            raise refused("")
        if match and region and match[1] != region:
            raise refused(f"the ARN of a certificate in {region}, where the balancer is")
        return arn or None

    @property
    def host(self) -> str:
        """The site's main host."""
        return self.hosts[0]

    @property
    def state_bucket(self) -> str:
        """The state bucket's name. Several stacks may share an existing zone, but not a bucket."""
        return _bucket(self.domain, self.app.name if self.zone.existing else "")

    @property
    def delegated(self) -> DelegationSettings:
        """The zone that must be delegated, and the hosts to certify."""
        return DelegationSettings(
            domain=self.domain,
            certified=() if self.certificate_arn else self.hosts,
            parent_zone=self.delegation.parent_zone,
            resolver=self.delegation.resolver,
        )

    @property
    def needs(self) -> Needs:
        """What the stack needs from the cluster."""
        app = self.app
        kinds = {
            ("autoscaling", "horizontalpodautoscalers"): app.scale.max,
            ("batch", "jobs"): app.release,
            ("batch", "cronjobs"): app.schedules,
        }
        return Needs(
            namespace=self.namespace.name,
            makes_namespace=not self.namespace.existing,
            platform=self.image.platform,
            balancer=self.cluster.balancer,
            service=f"{app.name}-service",
            tls_secret=app.tls_secret or "",
            objects=tuple(kind for kind, wanted in kinds.items() if wanted),
            metrics=app.scale.max is not None,
        )


@cache
def described() -> schema.Node:
    """Return the schema of all settings. It is cached, so do not change it."""
    return schema.of(Settings)


def read(values: Mapping[str, object], *, encrypted: Encrypted, stack: str) -> Settings:
    """Read the settings from the values in a stack's file, by their keys; `stack` is its `<project>/<stack>`.

    Raise RefusedError with all problems.
    """
    plain = _plain_secrets(values, encrypted=encrypted)
    wrong: list[Problem] = []
    try:
        # As JSON: only there does strict mode accept a list for a tuple, and all other types are those of the file.
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
    """Return a problem for each secret that is in the file in plain text, by key."""
    found = {}
    for spot in schema.secrets(described()):
        for place, value in _at(values, spot):
            if isinstance(value, str) and not encrypted(place):
                key = schema.path(place)
                command = f"pulumi config set --secret --path {key}"
                what = f"an encrypted value: change the secret where it is used, and set the new one: {command}"
                found[key] = Problem(key=key, found="plain text", expected=what)
    return found


def _at(values: object, place: Place) -> Iterator[tuple[Place, object]]:
    """Yield the values at a place, each with its place; the step ANY matches every name."""
    if not place:
        yield (), values
    elif isinstance(values, Mapping):
        for name in values if place[0] == schema.ANY else {place[0]} & values.keys():
            for rest, value in _at(values[name], place[1:]):
                yield (name, *rest), value


def _facts(values: Mapping[str, object], stack: str) -> Facts:
    """Return the facts for the sections. Each is read on its own, so that one mistake does not hide another."""

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
        balancer = None  # its own field refuses it
    files = {f"{section}.{key}": fact(str, section, key) for section, key in _SECRET_FILES}
    return Facts(
        stack=stack,
        app=fact(AppName, "app", "name"),
        domain=fact(Domain, "domain"),
        region=fact(Region, "aws", "region"),
        platform=fact(Platform, "image", "platform", Image.model_fields["platform"].default),
        registry_driver=fact(str, "registry", "driver", "login"),
        balancer=balancer,
        secret_files={key: path for key, path in files.items() if path},
    )
