"""What the settings accept and what they refuse: before any resource, with a message that names the key."""

import base64
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pulumi
import pytest
import yaml
from pydantic import SecretStr

from infra.cluster.existing.settings import ExistingSettings
from infra.config import ConfigError, load
from infra.settings import page, schema, stackfile
from infra.settings.image import Image
from infra.settings.problems import UNKNOWN_KEY
from infra.settings.registry import LoginRegistry
from infra.settings.schema import Node
from infra.settings.section import Facts, Place
from infra.settings.stack import Settings, read
from tests.example import KUBECONFIG, PASSWORD, Inputs
from tests.fast.graph import ABSENT, changed, refused
from tests.recorder import PROJECT, ROOT, declare, record, run

KEY = "a-key-of-the-operator-0123456789-0123456789-0123456789"
IN_PLAIN = {"registry.passwordFile": ABSENT, "registry.password": "swordfish"}


def taken(config: Inputs, *secure: str) -> Settings:
    """Return the settings read from a configuration, which must be valid."""
    assert refused(config, *secure) == ()
    return read(config, encrypted=lambda place: ".".join(map(str, place)) in secure, stack=f"{PROJECT}/test")


def loaded(config: Inputs, *encrypted: str) -> Settings:
    """Return what a program loads from a configuration; the engine has secrets under the keys in `encrypted`."""
    found: list[Settings] = []
    run(lambda: found.append(load()), config=config, encrypted=encrypted)
    return found[0]


# A change, and the only key that is refused for it.
REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "the domain is missing": ({"domain": ABSENT}, "domain"),
    "the domain is none": ({"domain": "not a domain"}, "domain"),
    "the domain has one label": ({"domain": "localhost"}, "domain"),
    "the domain ends with a dot": ({"domain": "dev.example.com."}, "domain"),
    "the domain is in upper case": ({"domain": "Dev.example.com"}, "domain"),
    "the domain is an address": ({"domain": "192.0.2.7"}, "domain"),
    "the domain has an empty label": ({"domain": "dev..example.com"}, "domain"),
    "the domain has a label that is too long": ({"domain": f"{'a' * 64}.com"}, "domain"),
    "the bucket's name would be too long": ({"domain": f"{'a' * 50}.example"}, "domain"),
    "a host is in another zone": ({"hosts": ["dev.example.com", "www.example.com"]}, "hosts[1]"),
    "a host only ends like the domain": ({"hosts": ["xdev.example.com"]}, "hosts[0]"),
    "a host is a wildcard": ({"hosts": ["*.dev.example.com"]}, "hosts[0]"),
    "a host is there twice": ({"hosts": ["dev.example.com", "dev.example.com"]}, "hosts"),
    "the first host is longer than ACM certifies": ({"hosts": [f"{'a' * 50}.dev.example.com"]}, "hosts"),
    "the default host is longer than ACM certifies": ({"domain": f"{'a' * 46}.example"}, "hosts"),
    "there are more hosts than ACM certifies": ({"hosts": [f"h{n}.dev.example.com" for n in range(11)]}, "hosts"),
    "the hosts are a text": ({"hosts": "dev.example.com"}, "hosts"),
    "the zone is a text": ({"zone": "dev.example.com"}, "zone"),
    "the zone's id is none": ({"zone": {"existing": True, "id": "/hostedzone/Z0"}}, "zone.id"),
    "the bucket beside others in a zone would be too long": (
        {"domain": f"{'a' * 46}.example", "hosts": [f"{'a' * 46}.example"], "zone.existing": True},
        "zone.existing",
    ),
    "the zone's id is of one that is to be made": ({"zone.id": "Z0123456789"}, "zone.id"),
    "the certificate's ARN is none": ({"certificateArn": "web"}, "certificateArn"),
    "the certificate is no certificate": (
        {"certificateArn": "arn:aws:iam::000000000000:server-certificate/web"},
        "certificateArn",
    ),
    "the certificate is in another region": (
        {"certificateArn": "arn:aws:acm:eu-west-1:000000000000:certificate/0f"},
        "certificateArn",
    ),
    "the delegation is a text": ({"delegation": "example.com"}, "delegation"),
    "the parent zone is none": ({"delegation.parentZone": "com"}, "delegation.parentZone"),
    "the parent zone is another's": ({"delegation.parentZone": "example.org"}, "delegation.parentZone"),
    "the parent zone only ends like the domain's": (
        {"delegation.parentZone": "v.example.com"},
        "delegation.parentZone",
    ),
    "the parent zone is the domain": ({"delegation.parentZone": "dev.example.com"}, "delegation.parentZone"),
    "the resolver is a name": ({"delegation.resolver": "one.one"}, "delegation.resolver"),
    "a key of the delegation is misspelt": ({"delegation.parentzone": "example.com"}, "delegation.parentzone"),
    "the namespace is a text": ({"namespace": "shop"}, "namespace"),
    "the namespace has no name": ({"namespace.existing": True}, "namespace.name"),
    "the namespace is no label": ({"namespace.name": "Team.A"}, "namespace.name"),
    "the namespace is too long": ({"namespace.name": "a" * 64}, "namespace.name"),
    "the namespace is to be made and every cluster has it": ({"namespace.name": "default"}, "namespace.existing"),
    "the namespace is to be made and Kubernetes' own": ({"namespace.name": "kube-apps"}, "namespace.existing"),
    "protect is neither yes nor no": ({"protect": "perhaps"}, "protect"),
    "a key is misspelt": ({"namspace": "web"}, "namspace"),
    "an object is misspelt": ({"registri": {"server": "x"}}, "registri"),
    "aws is missing": ({"aws": ABSENT}, "aws"),
    "aws is a text": ({"aws": "us-east-1"}, "aws"),
    "the region is missing": ({"aws.region": ABSENT}, "aws.region"),
    "the region is a zone": ({"aws.region": "us-east-1a"}, "aws.region"),
    "the endpoint has no scheme": ({"aws.endpoint": "localhost:4566"}, "aws.endpoint"),
    "the endpoint has another scheme": ({"aws.endpoint": "s3://bucket"}, "aws.endpoint"),
    "the endpoint has a path": ({"aws.endpoint": "http://localhost/aws"}, "aws.endpoint"),
    "the endpoint's port is out of range": ({"aws.endpoint": "http://localhost:99999"}, "aws.endpoint"),
    "the endpoint is empty": ({"aws.endpoint": ""}, "aws.endpoint"),
    "the tags are a list": ({"aws.tags": ["a"]}, "aws.tags"),
    "a tag is a number": ({"aws.tags": {"cost": 7}}, "aws.tags.cost"),
    "a tag is AWS's own": ({"aws.tags": {"AWS:owner": "me"}}, "aws.tags.AWS:owner"),
    "a tag is too long": ({"aws.tags": {"note": "a" * 257}}, "aws.tags.note"),
    "the cluster is missing": ({"cluster": ABSENT}, "cluster"),
    "the driver is missing": ({"cluster.driver": ABSENT}, "cluster.driver"),
    "the driver is unknown": ({"cluster.driver": "gke"}, "cluster.driver"),
    "the driver is misspelt": ({"cluster.driver": "exsiting"}, "cluster.driver"),
    "the cluster's name is none": ({"cluster.name": "use_1"}, "cluster.name"),
    "the kubeconfig is missing": ({"cluster.kubeconfigFile": ABSENT}, "cluster.kubeconfig"),
    "the kubeconfig is given twice": ({"cluster.kubeconfig": KUBECONFIG}, "cluster.kubeconfig"),
    "the kubeconfig is in a file and in a stack": (
        {"cluster.kubeconfigStack": "organization/other/prod"},
        "cluster.kubeconfig",
    ),
    "the kubeconfig's stack is not named in full": (
        {"cluster.kubeconfigFile": ABSENT, "cluster.kubeconfigStack": "prod"},
        "cluster.kubeconfigStack",
    ),
    "the kubeconfig's stack is this one": (
        {"cluster.kubeconfigFile": ABSENT, "cluster.kubeconfigStack": f"organization/{PROJECT}/test"},
        "cluster.kubeconfigStack",
    ),
    "the kubeconfig's output has no stack": ({"cluster.kubeconfigOutput": "admin"}, "cluster.kubeconfigOutput"),
    "the kubeconfig's output is none": (
        {
            "cluster.kubeconfigFile": ABSENT,
            "cluster.kubeconfigStack": "organization/other/prod",
            "cluster.kubeconfigOutput": "a b",
        },
        "cluster.kubeconfigOutput",
    ),
    "the kind of balancer is unknown": ({"cluster.balancer": "alb"}, "cluster.balancer"),
    "no balancer ends TLS, nor do the pods": ({"cluster.balancer": "none"}, "app.tlsSecret"),
    "both the balancer and the pods are to end TLS": ({"app.tlsSecret": "site-tls"}, "app.tlsSecret"),
    "the Secret's name is none": ({"cluster.balancer": "none", "app.tlsSecret": "Site TLS"}, "app.tlsSecret"),
    "the kubeconfig's file is not there": ({"cluster.kubeconfigFile": "none/kubeconfig"}, "cluster.kubeconfigFile"),
    "the kubeconfig's file is a directory": ({"cluster.kubeconfigFile": "/"}, "cluster.kubeconfigFile"),
    "the registry's driver is unknown": ({"registry.driver": "ecs"}, "registry.driver"),
    "a login for ECR, which gives its own": ({"registry": {"driver": "ecr", "username": "AWS"}}, "registry.username"),
    "ECR takes no such repository": (
        {"registry": {"driver": "ecr"}, "image.repository": "team__app"},
        "image.repository",
    ),
    "the server is missing": ({"registry.server": ABSENT}, "registry.server"),
    "the server has a scheme": ({"registry.server": "https://r.example.com"}, "registry.server"),
    "the user's name has a colon": ({"registry.username": "a:b"}, "registry.username"),
    "the e-mail address is none": ({"registry.email": "ci"}, "registry.email"),
    "the password is missing": ({"registry.passwordFile": ABSENT}, "registry.password"),
    "the password is in plain text": (
        {"registry.passwordFile": ABSENT, "registry.password": "swordfish"},
        "registry.password",
    ),
    "the password's file is not there": ({"registry.passwordFile": "none/password"}, "registry.passwordFile"),
    "a key of the registry is misspelt": ({"registry.usrname": "ci"}, "registry.usrname"),
    "the repository has a tag": ({"image.repository": "a/b:v1"}, "image.repository"),
    "the repository is in upper case": ({"image.repository": "Contraslash/x"}, "image.repository"),
    "the tag is latest": ({"image.tag": "latest"}, "image.tag"),
    "the tag has a space": ({"image.tag": "v 1"}, "image.tag"),
    "the tag is a number": ({"image.tag": 1.0}, "image.tag"),
    "the platform is unknown": ({"image.platform": "linux/riscv64"}, "image.platform"),
    "the digest is an image": ({"image.digest": "registry.example.com/a/b@sha256:" + "0" * 64}, "image.digest"),
    "the digest is cut off": ({"image.digest": "sha256:" + "0" * 63}, "image.digest"),
    "the app has no name": ({"app.name": ABSENT}, "app.name"),
    "the app's name is too long for a CronJob's": ({"app.name": "a" * 31}, "app.name"),
    "there are no pods": ({"app.scale": {"min": 0}}, "app.scale.min"),
    "the number of pods is a text": ({"app.scale": {"min": "2"}}, "app.scale.min"),
    "the number of pods is true": ({"app.scale": {"min": True}}, "app.scale.min"),
    "the number of pods is a fraction": ({"app.scale": {"min": 1.5}}, "app.scale.min"),
    "fewer pods at most than at least": ({"app.scale": {"min": 3, "max": 2}}, "app.scale.max"),
    "no percentage of CPU": ({"app.scale": {"max": 3, "cpu": 0}}, "app.scale.cpu"),
    "the digest is given twice": (
        {"image.digest": f"sha256:{'0' * 64}", "image.digestFrom": "organization/other/prod#image"},
        "image.digestFrom",
    ),
    "the digest is from a stack without an output": (
        {"image.digestFrom": "organization/other/prod"},
        "image.digestFrom",
    ),
    "the digest is this stack's own": (
        {"image.digestFrom": f"organization/{PROJECT}/test#image"},
        "image.digestFrom",
    ),
    "the context is not there": ({"image.context": "none"}, "image.context"),
    "the context has no Dockerfile": ({"image.context": "docs"}, "image.dockerfile"),
    "the Dockerfile is not there": ({"image.dockerfile": "compose/Dockerfile"}, "image.dockerfile"),
    "the Dockerfile is a folder": ({"image.dockerfile": "."}, "image.dockerfile"),
    "the Dockerfile builds nothing": ({"image.context": ".", "image.dockerfile": "README.md"}, "image.dockerfile"),
    "the target is no stage": ({"image.target": "test"}, "image.target"),
    "an argument's name is none": ({"image.args": {"A-B": "1"}}, "image.args.A-B"),
    "an argument is a number": ({"image.args": {"VERSION": 3}}, "image.args.VERSION"),
    "the replicas are true": ({"app.replicas": True}, "app.replicas"),
    "the port is out of range": ({"app.port": 65536}, "app.port"),
    "the app's name begins with a digit": ({"app.name": "2048"}, "app.name"),
    "a folder is writable twice": ({"app.writable": ["/run", "/run"]}, "app.writable"),
    "a writable folder is that of the certificate": ({"app.writable": ["/tls"]}, "app.tlsFolder"),
    "a process is called like the release": (
        {"app.processes": {"release": {"command": ["x"]}}},
        "app.processes.release",
    ),
    "a schedule is called like a process": (
        {
            "app.processes": {"a": {"command": ["x"]}},
            "app.schedules": {"a": {"command": ["x"], "cron": "@daily"}},
        },
        "app.schedules.a",
    ),
    "no CPU at all": ({"app.resources": {"cpu": "0.0"}}, "app.resources.cpu"),
    "the port is a text": ({"app.port": "8000"}, "app.port"),
    "the user is root": ({"app.user": 0}, "app.root"),
    "the user is a name": ({"app.user": "django"}, "app.user"),
    "the path of the health has no slash": ({"app.health": {"path": "healthz"}}, "app.health.path"),
    "a probe asks all the time": (
        {"app.health": {"liveness": {"periodSeconds": 0}}},
        "app.health.liveness.periodSeconds",
    ),
    "a variable's name is none": ({"app.env": {"MY-VAR": "1"}}, "app.env.MY-VAR"),
    "a variable is a number": ({"app.env": {"WORKERS": 2}}, "app.env.WORKERS"),
    "a variable is a secret as well": (
        {"app.env": {"SECRET_KEY": "x"}},
        "app.randomSecrets.SECRET_KEY",
    ),
    "a variable is from a stack and from AWS": (
        {
            "app.awsSecrets": {"A": "arn:aws:secretsmanager:us-east-1:000000000000:secret:a-1b2c3d"},
            "app.fromStacks": {"A": "organization/other/prod#url"},
        },
        "app.fromStacks.A",
    ),
    "the secret is in plain text": ({"app.secrets": {"TOKEN": KEY}}, "app.secrets.TOKEN"),
    "the random secret is short": ({"app.randomSecrets": {"A": 8}}, "app.randomSecrets.A"),
    "the secret's ARN is a bucket's": ({"app.awsSecrets": {"A": "arn:aws:s3:::bucket"}}, "app.awsSecrets.A"),
    "the other stack is not named in full": ({"app.fromStacks": {"A": "prod#url"}}, "app.fromStacks.A"),
    "the command is one text": ({"app.command": "gunicorn shop"}, "app.command"),
    "the release has no command": ({"app.release": {}}, "app.release.command"),
    "the release's command is empty": ({"app.release": {"command": []}}, "app.release.command"),
    "the process has no name": ({"app.processes": {"": {"command": ["x"]}}}, "app.processes."),
    "the cron line has four fields": (
        {"app.schedules": {"a": {"command": ["x"], "cron": "* * * *"}}},
        "app.schedules.a.cron",
    ),
    "the cron line has a 61st minute": (
        {"app.schedules": {"a": {"command": ["x"], "cron": "60 * * * *"}}},
        "app.schedules.a.cron",
    ),
    "the memory has no unit": ({"app.resources": {"memory": "512"}}, "app.resources.memory"),
    "the memory is in thousandths of a byte": ({"app.resources": {"memory": "512m"}}, "app.resources.memory"),
    "the CPU is no quantity": ({"app.resources": {"cpu": "one"}}, "app.resources.cpu"),
    "a writable folder is relative": ({"app.writable": ["tmp"]}, "app.writable[0]"),
    "app is null": ({"app": None}, "app"),
    "the domain has letters that the DNS has not": ({"domain": "münchen.de"}, "domain"),
    "a host is null": ({"hosts": [None]}, "hosts[0]"),
    "a tag has a character that AWS does not take": ({"aws.tags": {"owner": "R&D"}}, "aws.tags.owner"),
    "a tag's name has one": ({"aws.tags": {"R&D": "me"}}, "aws.tags.R&D"),
    "there are more tags than a resource carries": ({"aws.tags": {f"t{n}": "" for n in range(41)}}, "aws.tags"),
    "the server is a part of a path at Docker Hub": ({"registry.server": "registry"}, "registry.server"),
    "the server's port is none": ({"registry.server": "registry.example.com:0"}, "registry.server"),
    "the server's port is out of range": ({"registry.server": "registry.example.com:99999"}, "registry.server"),
    "the server is Docker Hub by another name": ({"registry.server": "index.docker.io"}, "registry.server"),
    "the tag is all digits": ({"image.tag": 1234567}, "image.tag"),
    "the password of ECR's user ends within a day": (
        {"registry.server": "000000000000.dkr.ecr.us-east-1.amazonaws.com", "registry.username": "AWS"},
        "registry.username",
    ),
    "the password of an access token of Google's does": (
        {"registry.server": "europe-docker.pkg.dev", "registry.username": "oauth2accesstoken"},
        "registry.username",
    ),
    "the context at home is not there": ({"image.context": "~/none"}, "image.context"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_it_is_refused_when(config: Inputs, case: str) -> None:
    changes, key = REFUSED[case]
    (problem,) = refused(changed(config, changes))
    assert problem.key == key


def of_a_wrong_type(node: Node) -> Iterator[tuple[Place, Any]]:
    """Yield a wrong value for each key of a schema, inside a value for the whole, and its place there."""
    forms = schema.variants(node)
    if not forms and "properties" not in node and node.get("type") not in ("array", "object"):
        yield (), [[]]
        return
    yield (), "a text"
    for driver, form in forms.items():
        yield from ((place, {"driver": driver, **value}) for place, value in of_a_wrong_type(form) if place)
    (name, *_) = node.get("propertyNames", {}).get("enum", ["A"])
    entry = next(iter(node.get("patternProperties", {}).values()), node.get("additionalProperties"))
    inside = {name: entry, 0: node.get("items"), **node.get("properties", {})}
    for key, each in inside.items():
        for place, value in of_a_wrong_type(each) if isinstance(each, dict) else ():
            yield (key, *place), [value] if key == 0 else {key: value}


WRONG_TYPES = [(schema.path(place), value) for place, value in of_a_wrong_type(schema.of(Settings)) if place]


@pytest.mark.parametrize(("key", "value"), WRONG_TYPES, ids=[key for key, _ in WRONG_TYPES])
def test_no_key_takes_a_value_of_another_type(config: Inputs, key: str, value: Inputs) -> None:
    problems = {each.key: each.found for each in refused(config | value, key)}
    assert problems[key] not in ("nothing", UNKNOWN_KEY)


@pytest.mark.parametrize(
    ("changes", "fix"),
    [
        ({"domain": "münchen.de"}, "xn--mnchen-3ya.de"),
        ({"delegation.parentZone": "münchen.de"}, "xn--mnchen-3ya.de"),
        ({"namspace": "web"}, "namespace"),
        ({"registry.usrname": "ci"}, "username"),
        ({"cluster.driver": "exsiting"}, "existing"),
        ({"image.platform": "linux/arm"}, "linux/arm64"),
        ({"image.target": "rum"}, "run"),
        ({"registry.server": "https://index.docker.io/v1/"}, "docker.io"),
        ({"registry.server": "MyAcr.azurecr.io"}, "myacr.azurecr.io"),
        ({"registry.server": "registry.gitlab.com/group/project"}, "group/project"),
        ({"registry.server": "http://registry.local:5000"}, "registry.local:5000"),
        ({"registry.server": "0.dkr.ecr.eu-west-1.amazonaws.com", "registry.username": "AWS"}, "registry.driver ecr"),
        ({"image.tag": 1234567}, "--type string image.tag"),
        ({"app.port": "8000"}, "without quotes"),
        ({"image.args": {"VERSION": 3}}, "a string, "),
        (IN_PLAIN, "pulumi config set --secret --path registry.password"),
    ],
)
def test_the_message_has_what_mends_it(config: Inputs, changes: dict[str, Any], fix: str) -> None:
    (problem,) = refused(changed(config, changes))
    assert fix in problem.expected


@pytest.mark.parametrize(
    "changes",
    [
        {"app.secrets": {"TOKEN": 1234567}},
        {"app.secrets": {"TOKEN": {"text": "swordfish"}}},
        {"registry.passwordFile": ABSENT, "registry.password": " "},
        {"cluster.kubeconfigFile": ABSENT, "cluster.kubeconfig": "{"},
        {"cluster.kubeconfigFile": ABSENT, "cluster.kubeconfig": "swordfish"},
        {"registry.username": "encrypted as well: or not"},
        {"registry.passwordFile": "the password itself"},
        {"registry": "the password itself"},
        IN_PLAIN,
    ],
)
def test_no_secret_is_shown(config: Inputs, changes: dict[str, Any]) -> None:
    secure = () if changes is IN_PLAIN else tuple(changes)
    (problem,) = refused(changed(config, changes), *secure)
    assert problem.key.removesuffix(".TOKEN") in changes
    for value in changes.values():
        texts = [str(each) for each in (value.values() if isinstance(value, dict) else [value])]
        assert value is ABSENT or value == " " or not any(each in str(problem) for each in texts)


def test_no_part_of_what_is_encrypted_or_of_a_login_in_a_url_is_shown(config: Inputs) -> None:
    server = {"registry.server": "registry.gitlab.com/hunter2", "aws.endpoint": "http://me:hunter2@localhost:4566"}
    problems = refused(changed(config, server), "registry.server")
    assert [each.key for each in problems] == ["aws.endpoint", "registry.server"]
    assert not any("hunter2" in str(each) for each in problems)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("clusters: [", "YAML"),
        ("", "current-context"),
        (KUBECONFIG.replace("current-context: admin@test", ""), "current-context"),
        (KUBECONFIG.replace("current-context: admin@test", "current-context: other"), "current-context"),
        (KUBECONFIG.replace("kubeconfig-token", "REDACTED"), "kubectl config view --raw"),
        (base64.b64encode(KUBECONFIG.encode()).decode(), "base64 --decode"),
    ],
)
def test_a_kubeconfig_that_cannot_be_used_is_refused(config: Inputs, tmp_path: Path, content: str, said: str) -> None:
    (tmp_path / "kubeconfig").write_text(content)
    (problem,) = refused(config)
    assert problem.key == "cluster.kubeconfigFile"
    assert said in problem.found
    assert "kubeconfig-token" not in str(problem)


def test_a_value_that_is_missing_is_nothing_even_where_a_secret_could_be(config: Inputs, tmp_path: Path) -> None:
    (tmp_path / "context" / "Dockerfile").write_text("FROM base\nUSER nobody\n")
    (problem,) = refused(config, "app.user")
    assert (problem.key, problem.found) == ("app.user", "nothing")
    assert "nobody" in problem.expected


def test_the_context_that_is_named_is_used_whatever_the_current_one_is(config: Inputs, tmp_path: Path) -> None:
    (tmp_path / "kubeconfig").write_text(KUBECONFIG.replace("current-context: admin@test", "current-context: other"))
    cluster = taken(changed(config, {"cluster.context": "admin@test"})).cluster
    assert isinstance(cluster, ExistingSettings)
    assert isinstance(cluster.source, SecretStr)
    assert yaml.safe_load(cluster.source.get_secret_value())["current-context"] == "admin@test"
    (problem,) = refused(changed(config, {"cluster.context": "nowhere"}))
    assert problem.key == "cluster.kubeconfigFile"


@pytest.mark.parametrize("content", [b"\n", b"\xff\xfe"])
def test_a_file_without_a_password_is_refused(config: Inputs, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "password").write_bytes(content)
    (problem,) = refused(config)
    assert problem.key == "registry.passwordFile"


def test_all_problems_are_told_at_once(config: Inputs) -> None:
    changes = {"domain": "x", "app.port": 0, "registry.email": "", "image.tga": "v1"}
    elsewhere = {"certificateArn": "arn:aws:acm:eu-west-1:000000000000:certificate/0f", "image.platform": "linux/386"}
    keys = {each.key for each in refused(changed(config, {**changes, **elsewhere, **IN_PLAIN}))}
    expected = {"domain", "app.port", "registry.email", "registry.password", "image.tga"}
    assert keys == {*expected, "certificateArn", "image.platform"}


def test_an_empty_configuration_is_refused_by_what_it_lacks() -> None:
    assert {each.key for each in refused({})} >= {"domain", "aws", "cluster", "registry"}


def test_the_refusal_comes_before_any_resource_and_is_all_that_pulumi_shows(config: Inputs) -> None:
    with pytest.raises(ConfigError) as error:
        declare(changed(config, {"domain": "x", "app.port": 0}))
    assert isinstance(error.value, pulumi.RunError)  # for any other error Pulumi shows a traceback
    assert "0 resources were declared before" in error.value.__notes__
    assert [each.key for each in error.value.problems] == ["domain", "app.port"]
    assert all(f"\n  - {each}\n" in str(error.value) for each in error.value.problems)


# Encrypted values, and where the stack's file marks them.


def in_file(folder: Path, registry: Inputs) -> None:
    """Write the file of the stack `test`."""
    document = {"config": {f"{PROJECT}:registry": registry}}
    (folder / "Pulumi.test.yaml").write_text(yaml.safe_dump(document))


SECURE = {"secure": "v1:0:0"}


@pytest.mark.parametrize(
    ("registry", "is_taken"),
    [
        ({"username": SECURE, "password": "swordfish"}, False),
        ({"username": "ci", "password": SECURE}, True),
        (SECURE, True),
        # The values come from elsewhere, or the file is not found: only the engine knows which are encrypted.
        ({"username": "ci"}, True),
        (None, True),
    ],
)
def test_an_encrypted_value_vouches_for_no_plain_one_beside_it(
    config: Inputs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, registry: Any, is_taken: bool
) -> None:
    monkeypatch.chdir(tmp_path)
    if registry:
        in_file(tmp_path, registry)
    values = changed(config, IN_PLAIN)
    problems = []
    try:
        loaded(values, "registry")
    except ConfigError as error:
        problems = [each.key for each in error.problems]
    assert problems == ([] if is_taken else ["registry.password"])


def test_a_plain_secret_is_refused_by_the_engine_s_word_alone(
    config: Inputs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError) as error:
        run(load, config=changed(config, IN_PLAIN))
    assert [each.key for each in error.value.problems] == ["registry.password"]


def test_secure_is_read_where_it_stands(tmp_path: Path) -> None:
    in_file(tmp_path, {"nodes": [{"key": SECURE}, {"key": "plain"}]})
    config = stackfile.configuration(tmp_path / "Pulumi.test.yaml", project=PROJECT)
    found = [stackfile.encrypted(config, ("registry", "nodes", n, "key")) for n in range(3)]
    assert found == [True, False, None]


# Keys in the wrong place.


def told(config: Inputs, others: Inputs, *, project: str = PROJECT) -> dict[str, str]:
    """Return what was expected instead, by key; `others` are full keys beside the configuration."""
    texts = {f"{PROJECT}:{key}": value for key, value in config.items()} | others
    values = {key: each if isinstance(each, str) else json.dumps(each) for key, each in texts.items()}
    with pytest.raises(ConfigError) as error:
        record(load, values=values, project=project)
    return {each.key: each.expected for each in error.value.problems}


@pytest.mark.parametrize(
    ("key", "instead"),
    [
        ("aws:profile", "AWS_PROFILE"),
        ("aws:region", "aws.region"),
        ("aws:assumeRoles", "role_arn"),
        ("aws:skipRegionValidation", ""),
        ("kubernetes:kubeconfig", "cluster"),
        ("docker:host", "DOCKER_HOST"),
    ],
)
def test_a_key_of_a_provider_that_is_turned_off_is_refused(config: Inputs, key: str, instead: str) -> None:
    problems = told(config, {key: "x"})
    assert list(problems) == [key]
    assert instead in problems[key]


def test_a_key_that_was_set_without_path_is_named_with_the_commands_that_mend_it(config: Inputs) -> None:
    without = changed(config, {"registry.passwordFile": ABSENT})
    problems = told(without, {f"{PROJECT}:registry.password": "swordfish"})
    assert list(problems) == ["registry.password"]
    commands = re.findall(r"`(pulumi [^`]+)`", problems["registry.password"])
    assert commands == ["pulumi config rm registry.password", "pulumi config set --secret --path registry.password"]


@pytest.mark.parametrize(
    ("old", "value", "new"),
    [
        ("app.debug", True, "app.env.DEBUG"),
        ("app.replicas", 3, "app.scale.min"),
        ("app.secretKey", KEY, "app.secrets.SECRET_KEY"),
        ("host", "www.dev.example.com", "hosts"),
        ("image.base", "python:3.13", "image.args.BASE_IMAGE"),
        ("namespace", "shop", "namespace.name"),
    ],
)
def test_a_key_that_has_moved_is_refused_once_with_its_new_place(
    config: Inputs, old: str, value: object, new: str
) -> None:
    problems = told(changed(config, {old: value}), {})
    assert list(problems) == [old]
    assert problems[old].endswith(f" {new}")


def test_keys_of_the_name_that_the_project_had_are_named(config: Inputs) -> None:
    problems = told(config, {}, project="a-fork")
    assert problems.keys() == {f"{PROJECT}:{key}" for key in config}
    assert all(what.startswith(f"a-fork:{key.partition(':')[2]}") for key, what in problems.items())


# What is accepted.


def test_what_is_not_given_has_its_default(config: Inputs) -> None:
    settings = taken(config)
    assert (settings.namespace.name, settings.namespace.existing) == ("default", True)
    assert (settings.zone.existing, settings.protect) == (False, True)
    assert settings.image.model_dump(exclude={"context"}) == {
        "repository": "contraslash/ejemplo-django",
        "tag": "v1",
        "platform": "linux/amd64",
        "digest": None,
        "digest_from": None,
        "dockerfile": "Dockerfile",
        "target": None,
        "args": {},
    }
    assert (settings.app.scale.min, settings.app.scale.max, settings.app.port) == (2, None, 8000)
    assert settings.aws.endpoint is None
    assert settings.delegated.certified == settings.hosts


def test_without_hosts_the_apps_name_makes_one(config: Inputs) -> None:
    assert taken(changed(config, {"app.name": "shop"})).hosts == ("shop.dev.example.com",)


def test_an_image_is_called_like_its_app() -> None:
    of_shop = Facts(app="shop")
    assert Image.model_validate({"context": "app"}, context=of_shop).repository == "shop"
    assert Image.model_validate({"context": "app", "repository": "a/b"}, context=of_shop).repository == "a/b"


@pytest.mark.parametrize(
    ("changes", "user"),
    [
        ({}, "10001"),
        ({"target": "build"}, None),
        ({"args": {"AS": "7"}, "dockerfile": "Other"}, "7"),
        ({"digest": f"sha256:{'0' * 64}"}, None),
    ],
)
def test_an_image_runs_as_its_dockerfile_says(config: Inputs, changes: Inputs, user: str | None) -> None:
    context = Path(config["image"]["context"])
    (context / "Other").write_text("FROM base\nARG AS=8\nUSER $AS")
    assert taken(config | {"image": config["image"] | changes}).image.user == user


@pytest.mark.parametrize(
    "changes",
    [
        {"domain": "a" * 46 + ".example", "hosts": ["a" * 46 + ".example"]},
        {"domain": "xn--mnchen-3ya.de", "hosts": ["xn--mnchen-3ya.de"]},
        {"hosts": ["dev.example.com", "a.b.dev.example.com", f"{'a' * 60}.dev.example.com"]},
        {"hosts": [f"h{n}.dev.example.com" for n in range(10)]},
        {"zone": {"existing": True, "id": "Z0123456789"}},
        {"namespace.name": "shop"},
        {"namespace": {"name": "kube-system", "existing": True}},
        {"certificateArn": ""},
        {"delegation.parentZone": "Z0123456789"},
        {"registry.server": "localhost:5000"},
        {"registry.server": "localhost"},
        {"registry.server": "docker.io"},
        {"registry.server": "10.0.0.1:65535"},
        {"registry.email": ABSENT},
        {"registry.driver": "login", "image.repository": "team__app"},
        {"registry": {"driver": "ecr"}, "image.repository": "team/a.b_c-d"},
        {"image.tag": "2024-01-31_rc.1"},
        {"image.tag": "1234567"},
        {"image.target": "Build"},
        {"image.args": {"BASE_IMAGE": f"registry.example.com:5000/base/python@sha256:{'0' * 64}"}},
        {"image.digest": f"sha256:{'0f' * 32}"},
        # Without a build no Dockerfile is needed.
        {"image.digest": f"sha256:{'0f' * 32}", "image.context": "docs"},
        {"image.digestFrom": "organization/other/prod#image", "image.context": "docs", "image.target": "x"},
        {"app.port": 1024},
        {"app.port": 65535},
        {"app.port": 80},
        {"app.user": 0, "app.root": True},
        {"app.scale": {"min": 1, "max": 1}},
        {"app.name": "a" * 30},
        {"app.schedules": {"a": {"command": ["x"], "cron": "*/5 0-6,22 1 JAN-mar 6"}}},
        {"app.schedules": {"a": {"command": ["x"], "cron": "@hourly"}}},
        {"app.awsSecrets": {"A": "arn:aws:secretsmanager:us-east-1:000000000000:secret:team/a-1b2c3d#url"}},
        {"app.resources": {"cpu": "0.5", "memory": "1.5Gi"}},
        {"aws.region": "us-gov-west-1"},
        {"aws.endpoint": "https://aws.example.test/"},
        {"aws.tags": {f"t{n}": "" for n in range(40)}},
        {"aws.tags": {"Größe": "1 + 2 = 3, a.b:c/d@e_f-g".replace(",", "")}},
    ],
)
def test_what_is_just_allowed_is_taken(config: Inputs, changes: dict[str, Any]) -> None:
    assert taken(changed(config, changes))


def test_a_path_may_begin_at_home(config: Inputs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    paths = {"cluster.kubeconfigFile": "~/kubeconfig", "registry.passwordFile": "~/password"}
    settings = taken(changed(config, {**paths, "image.context": "~/context"}))
    assert settings.image.context == str(tmp_path / "context")
    assert isinstance(settings.cluster, ExistingSettings)
    assert isinstance(settings.cluster.source, SecretStr)
    assert settings.cluster.source.get_secret_value() == KUBECONFIG.rstrip("\n")
    assert isinstance(settings.registry, LoginRegistry)
    assert settings.registry.secret.get_secret_value() == PASSWORD


def test_settings_show_no_secret(config: Inputs) -> None:
    shown = repr(taken(changed(config, {"app.secrets": {"TOKEN": KEY}}), "app.secrets.TOKEN"))
    assert "registry.example.test" in shown
    assert not any(secret in shown for secret in (PASSWORD, "kubeconfig-token", KEY))


# Files generated from the models, and the stack files.


@pytest.mark.parametrize(("file", "written"), [(page.PAGE, page.page), (page.SCHEMA, page.editors_schema)])
def test_what_is_written_from_the_models_is_current(file: str, written: Callable[[], str]) -> None:
    assert (ROOT / file).read_text() == written(), "run `python -m infra.settings.page`"


def documented(node: Inputs) -> Iterator[tuple[str, Inputs]]:
    """Yield every key in a schema, with its own schema."""
    yield from node.get("properties", {}).items()
    inside = [node["items"]] if "items" in node else []
    for form in (*node.get("oneOf", []), *node.get("properties", {}).values(), *inside):
        yield from documented(form)


def test_every_key_has_a_meaning() -> None:
    keys = list(documented(json.loads(page.editors_schema())["properties"]["config"]))
    assert {"parentZone", "kubeconfigStack", "waitMinutes", "diskGib", "passwordFile"} <= {key for key, _ in keys}
    assert [key for key, inner in keys if not inner.get("description") and key != "secure"] == []


STACKS = sorted(each.name for each in ROOT.glob("Pulumi.*.yaml"))


TO_COPY = sorted(f"examples/stacks/{each.name}" for each in (ROOT / "examples" / "stacks").glob("*.yaml"))


@pytest.mark.parametrize("file", [*STACKS, *TO_COPY])
def test_editors_take_the_stack_files_and_no_misspelt_key(file: str) -> None:
    text = (ROOT / file).read_text()
    assert text.startswith("# yaml-language-server: $schema=./Pulumi.schema.json\n")
    document, schema = yaml.safe_load(text), json.loads((ROOT / page.SCHEMA).read_text())
    registry = document["config"][f"{PROJECT}:registry"]
    if not {"driver", "passwordFile"} & registry.keys():  # the operator sets it; no file in the repository has it
        registry["password"] = SECURE
    jsonschema.validate(document, schema)
    for wrong in ({"namspace": "web"}, {"aws": {"region": "us-east-1", "tag": {}}}, {"app": {"port": "8000"}}):
        config = document["config"] | {f"{PROJECT}:{key}": value for key, value in wrong.items()}
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate({"config": config}, schema)


@pytest.mark.parametrize("file", STACKS)
def test_the_stack_files_are_taken_as_they_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, file: str) -> None:
    for needed, content in {
        ".sandbox/kubeconfig": KUBECONFIG,
        ".sandbox/secrets/registry-password": "password",
        "app/Dockerfile": "FROM base\nUSER 10001\n",
    }.items():
        (tmp_path / needed).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / needed).write_text(content)
    monkeypatch.chdir(tmp_path)
    given = yaml.safe_load((ROOT / file).read_text())["config"]
    assert given.pop("pulumi:disable-default-providers") == ["aws", "kubernetes"]
    if file == "Pulumi.dev.yaml":
        given[f"{PROJECT}:registry"]["password"] = "the-operators-own"
    settings = loaded({key.removeprefix(f"{PROJECT}:"): each for key, each in given.items()}, "registry")
    assert settings.hosts == (f"ejemplo-django.{settings.domain}",)
