"""The settings of a stack: what may differ between two, read and checked before anything is declared.

Nothing else reads `pulumi.Config`, so that every component can be made from plain values. The keys are
described for their user in Pulumi.yaml.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

import pulumi
from pulumi.runtime import is_config_secret
from pulumi.runtime.config import CONFIG

from infra import checks
from infra.balancer_kind import BalancerKind
from infra.cluster_settings import ClusterSettings, eks, existing, kops
from infra.cluster_settings.existing import ExistingSettings
from infra.reading import Section

DRIVERS = ("eks", "existing", "kops")
"""The cluster's drivers; `infra.cluster` has one of the same name for each."""

REGISTRY_DRIVERS = ("login", "ecr")
"""The registry's drivers; `infra.registry` has a class for each."""

_JSON_KEYS = ("aws", "cluster", "delegation", "registry", "image", "app", "protect")
"""The keys that Pulumi hands over as JSON; the others are plain text."""


class ConfigError(pulumi.RunError):
    """The configuration is refused. A RunError, so that its message is all that `pulumi up` shows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Aws:
    """Where in AWS; the credentials come from the environment, as for every AWS tool."""

    region: str
    endpoint: str | None
    """The URL of a service that speaks AWS's API, for every service; None for AWS itself."""
    tags: Mapping[str, str]
    """On every resource that can carry tags."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DelegationSettings:
    """Who makes the world find the hosted zone, and what is looked up of that where."""

    domain: str
    """The hosted zone."""
    certified: str | None
    """The host that ACM is asked to certify; None when a certificate is given."""
    parent_zone: str | None
    """The name or the id of a hosted zone of the same account that gets the NS record; None where it is another's."""
    resolver: str | None
    """The address of the resolver to begin at; None for the machine's own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoginRegistry:
    """Driver `login`: any registry, and the login to it."""

    driver: ClassVar[str] = "login"
    repository: str
    """The image's, without the server."""
    server: str
    """A host, with or without a port."""
    username: str
    email: str
    password: pulumi.Output[str] = field(repr=False, compare=False)
    """Secret."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EcrRegistry:
    """Driver `ecr`: a repository that the program makes, in the account and region of everything else in AWS."""

    driver: ClassVar[str] = "ecr"
    repository: str
    """Its name, and so the image's without the server."""


RegistrySettings = LoginRegistry | EcrRegistry


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """What is built, and what it is called in the registry."""

    tag: str
    """What is built is called so. What runs is the digest, so the same tag may be built anew where the registry lets a
    tag move."""
    base: str
    """The image that the Dockerfile starts from."""
    platform: str
    """The nodes' architecture, one of `checks.PLATFORMS`; never that of the machine that builds."""
    context: str
    """The directory with the Dockerfile, relative to the project."""
    digest: str | None
    """What runs instead of a build: an image of the registry's repository that was pushed before. None to build."""

    @property
    def version(self) -> str:
        """What the page shows: the tag, or the beginning of a digest, whose tag nobody knows."""
        return self.digest.removeprefix("sha256:")[:12] if self.digest else self.tag


@dataclass(frozen=True, slots=True, kw_only=True)
class App:
    """How the app runs."""

    replicas: int
    port: int
    """The container's, where the app listens for http."""
    debug: bool
    """Django's pages for developers, instead of plain errors."""
    secret_key: pulumi.Output[str] | None = field(repr=False, compare=False)
    """Secret: what Django signs with. None to make one, once, and keep it in the stack's state."""
    tls_secret: str | None = None
    """The name of the Secret, of type kubernetes.io/tls, with which the pods end TLS where no balancer does it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Needs:
    """What the program needs of a cluster."""

    namespace: str
    """It must exist."""
    platform: str
    """What the nodes must run, such as linux/amd64."""
    balancer: BalancerKind
    service: str
    """The name of the program's Service of type LoadBalancer."""
    tls_secret: str
    """A Secret of type kubernetes.io/tls that must exist; empty for none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """All of it."""

    domain: str
    """The hosted zone."""
    host: str
    """Where the site answers: the domain or a name beneath it."""
    certificate_arn: str | None
    """Of a certificate for the host that was issued already; None to request one."""
    delegation: DelegationSettings
    namespace: str
    """The one in the cluster, which must exist."""
    protect: bool
    """Whether Pulumi refuses to delete zone, state bucket and repository, and AWS while they are not empty."""
    aws: Aws
    cluster: ClusterSettings
    registry: RegistrySettings
    image: Image
    app: App

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


def load() -> Settings:
    """Read and check the configuration of the current stack.

    Raises ConfigError, which lists every problem by the name of its key.
    """
    problems: list[str] = []
    top = Section(_values(), problems=problems)
    domain = top.text("domain", checks.zone_name)
    aws = _aws(top.section("aws", required=True))
    images = top.section("image")
    registry = _registry(top.section("registry", required=True, encrypted=_encrypted("registry")), images=images)
    image = _image(images)
    cluster = _cluster(
        top.section("cluster", required=True, encrypted=_encrypted("cluster")),
        region=aws.region,
        domain=domain,
        platform=image.platform,
        registry=registry,
    )
    host = _host(top, domain)
    certificate_arn = _certificate(top, aws.region)
    settings = Settings(
        domain=domain,
        host=host,
        certificate_arn=certificate_arn,
        delegation=_delegation(
            top.section("delegation"), domain=domain, certified=None if certificate_arn is not None else host
        ),
        namespace=top.text("namespace", checks.namespace, default="default"),
        protect=top.boolean("protect", default=True),
        aws=aws,
        cluster=cluster,
        registry=registry,
        image=image,
        app=_app(top.section("app", encrypted=_encrypted("app")), balancer=cluster.balancer),
    )
    top.close()
    if problems:
        stack = pulumi.get_stack()
        listed = "".join(f"\n  - {problem}" for problem in problems)
        raise ConfigError(
            f"The configuration of stack {stack!r} is refused; nothing was created or changed.{listed}\n"
            f"Correct it in Pulumi.{stack}.yaml. Pulumi.yaml describes every key."
        )
    return settings


def _values() -> dict[str, object]:
    # pulumi.Config reads a key by its name and cannot list them, so a misspelt key would go unnoticed. The
    # SDK's own map is what it reads from; both ways to run a program (language host, Automation API) fill it.
    prefix = f"{pulumi.get_project()}:"
    given = {key.removeprefix(prefix): value for key, value in CONFIG.get().items() if key.startswith(prefix)}
    return {key: _decoded(value) if key in _JSON_KEYS else value for key, value in given.items()}


def _decoded(value: str) -> object:
    try:
        return json.loads(value)
    except ValueError:
        return value  # a text, which the reader of the key refuses


def _encrypted(key: str) -> bool:
    # Pulumi says whether an object has a secret anywhere in it, not where; each object here has one secret
    # key.
    return is_config_secret(f"{pulumi.get_project()}:{key}")


def _host(top: Section, domain: str) -> str:
    # Pulumi demands a value for every key that Pulumi.yaml describes, so the default there is the empty text.
    given = top.text("host", lambda text: checks.certificate_name(text) if text else None, default="")
    host = given or f"ejemplo-django.{domain}"
    if domain and not given and (expected := checks.certificate_name(host)):
        top.refuse("host", found=f"none, which means {host}", expected=expected)
    if given and domain and host != domain and not host.endswith(f".{domain}"):
        top.refuse("host", expected=f"the domain {domain} or a name beneath it, since its records go into that zone")
    return host


def _certificate(top: Section, region: str) -> str | None:
    # Not given and empty mean the same, as for the host.
    if not top.has("certificateArn") or top.text("certificateArn", lambda _: None) == "":
        return None
    return top.text("certificateArn", lambda text: checks.certificate_arn(text, region=region))


def _delegation(section: Section, *, domain: str, certified: str | None) -> DelegationSettings:
    delegation = DelegationSettings(
        domain=domain,
        certified=certified,
        parent_zone=section.text_or_none("parentZone", lambda text: checks.parent_zone(text, domain=domain)),
        resolver=section.text_or_none("resolver", checks.address),
    )
    section.close()
    return delegation


def _aws(section: Section) -> Aws:
    aws = Aws(
        region=section.text("region", checks.region),
        endpoint=section.text_or_none("endpoint", checks.url),
        tags=section.texts("tags", name=checks.tag_name, value=checks.tag_value),
    )
    section.close()
    return aws


def _cluster(
    section: Section, *, region: str, domain: str, platform: str, registry: RegistrySettings
) -> ClusterSettings:
    driver = section.choice("driver", available=DRIVERS)
    match driver:
        case "eks":
            cluster: ClusterSettings = eks.read(section, region=region, platform=platform)
        case "existing":
            cluster = existing.read(section)
        case "kops":
            cluster = kops.read(section, region=region, domain=domain, platform=platform)
            if isinstance(registry, EcrRegistry) and not cluster.container_registry:
                section.refuse(
                    "containerRegistry", expected="true: with registry.driver ecr the nodes pull by their role"
                )
        case _:
            # The driver is refused already; what the other keys should be depends on it.
            return ExistingSettings(name="", kubeconfig=pulumi.Output.secret(""))
    section.close()
    return cluster


def _registry(section: Section, *, images: Section) -> RegistrySettings:
    driver = section.choice("driver", available=REGISTRY_DRIVERS, default="login")
    rule = checks.ecr_repository if driver == "ecr" else checks.repository
    repository = images.text("repository", rule, default="contraslash/ejemplo-django")
    if driver == "login":
        registry: RegistrySettings = LoginRegistry(
            repository=repository,
            server=section.text("server", checks.registry_server),
            username=section.text("username", checks.username),
            email=section.text("email", checks.email),
            password=pulumi.Output.secret(section.secret_or_file("password", "passwordFile", checks.filled)),
        )
    else:
        registry = EcrRegistry(repository=repository)
    if driver in REGISTRY_DRIVERS:
        # What the other keys of an unknown driver should be, nobody knows.
        section.close()
    return registry


def _image(section: Section) -> Image:
    image = Image(
        tag=section.text("tag", checks.image_tag, default="v1"),
        base=section.text("base", checks.base_image, default="python:3.13-slim-bookworm"),
        platform=section.text("platform", checks.platform, default="linux/amd64"),
        context=section.text("context", _dockerfile_in, default="app"),
        digest=section.text_or_none("digest", checks.image_digest),
    )
    section.close()
    return image


def _dockerfile_in(context: str) -> str | None:
    return None if (Path(context) / "Dockerfile").is_file() else "a directory of the project with a Dockerfile in it"


def _app(section: Section, *, balancer: BalancerKind) -> App:
    app = App(
        replicas=section.integer("replicas", default=2, low=1),
        # Beneath 1024 only root may listen, and the container does not run as root.
        port=section.integer("port", default=8000, low=1024, high=65535),
        debug=section.boolean("debug", default=False),
        secret_key=pulumi.Output.secret(section.secret("secretKey", checks.secret_key))
        if section.has("secretKey")
        else None,
        tls_secret=section.text_or_none("tlsSecret", checks.object_name),
    )
    if (app.tls_secret is None) == (balancer is BalancerKind.NONE):
        found, expected = (
            ("nothing", "the name of a Secret with a certificate: behind cluster.balancer none the pods end TLS")
            if app.tls_secret is None
            else (None, f"no such key: the balancer, which is {balancer}, ends TLS")
        )
        section.refuse("tlsSecret", found=found, expected=expected)
    section.close()
    return app
