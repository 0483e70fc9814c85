"""What the configuration takes, and what it refuses: before any resource, by a message that names the key."""

import dataclasses
import re
from pathlib import Path
from typing import Any

import pulumi
import pytest
import yaml

from contract import exported_name
from infra import config as configuration
from infra.cluster_settings.eks import EksNodeGroup, EksSettings
from infra.cluster_settings.existing import ExistingSettings
from infra.cluster_settings.kops import ControlPlane, KopsSettings
from infra.cluster_settings.machines import NodeGroup
from tests.fast.graph import ABSENT, KUBECONFIG, PROJECT, ROOT, Inputs, changed, declare, run

KEY = "a-key-of-the-operator-0123456789-0123456789-0123456789"


def load(config: Inputs, *encrypted: str) -> configuration.Settings:
    """Read a configuration inside a program that declares nothing."""
    read: list[configuration.Settings] = []
    run(lambda: read.append(configuration.load()), config=config, encrypted=encrypted)
    return read[0]


def refusal(config: Inputs, *encrypted: str) -> list[str]:
    """The problems for which the whole program refuses a configuration, having declared nothing."""
    with pytest.raises(configuration.ConfigError) as refused:
        declare(config, encrypted=encrypted)
    assert "0 resources were declared before" in refused.value.__notes__
    return re.findall(r"^  - (.*)$", str(refused.value), flags=re.MULTILINE)


# A change, then what the one line of the refusal begins with and has in it.
REFUSED: dict[str, tuple[dict[str, Any], str, str]] = {
    "the domain is missing": ({"domain": ABSENT}, "domain: found nothing", "DNS name"),
    "the domain is none": ({"domain": "not a domain"}, 'domain: found "not a domain"', "DNS name"),
    "the domain has one label": ({"domain": "localhost"}, "domain:", "DNS name"),
    "the domain ends with a dot": ({"domain": "dev.example.com."}, "domain:", "without the trailing dot"),
    "the domain is in upper case": ({"domain": "Dev.example.com"}, "domain:", "lower case"),
    "the domain is an address": ({"domain": "192.0.2.7"}, "domain:", "DNS name"),
    "the domain has an empty label": ({"domain": "dev..example.com"}, "domain:", "DNS name"),
    "the domain has a label that is too long": ({"domain": f"{'a' * 64}.com"}, "domain:", ""),
    "the bucket's name would be too long": (
        {"domain": f"{'a' * 50}.example"},
        "domain:",
        "clusters.<domain>",
    ),
    "the host is in another zone": (
        {"host": "www.example.com"},
        "host:",
        "dev.example.com or a name beneath",
    ),
    "the host only ends like the domain": ({"host": "xdev.example.com"}, "host:", "beneath it"),
    "the host is a wildcard": ({"host": "*.dev.example.com"}, "host:", "DNS name"),
    "the host is longer than ACM certifies": ({"host": f"{'a' * 50}.dev.example.com"}, "host:", "64"),
    "the default host is longer than ACM certifies": (
        {"domain": f"{'a' * 46}.example"},
        "host: found none, which means ejemplo-django.aaa",
        "64",
    ),
    "the certificate's ARN is none": ({"certificateArn": "web"}, 'certificateArn: found "web"', "ARN of a certificate"),
    "the certificate is no certificate": (
        {"certificateArn": "arn:aws:iam::000000000000:server-certificate/web"},
        "certificateArn:",
        "ARN of a certificate",
    ),
    "the certificate is in another region": (
        {"certificateArn": "arn:aws:acm:eu-west-1:000000000000:certificate/0f"},
        "certificateArn:",
        "in us-east-1",
    ),
    "the delegation is a text": ({"delegation": "example.com"}, "delegation: found text", "an object"),
    "the parent zone is none": ({"delegation.parentZone": "com"}, "delegation.parentZone:", "DNS name"),
    "the parent zone is another's": (
        {"delegation.parentZone": "example.org"},
        "delegation.parentZone:",
        "a zone above dev.example.com",
    ),
    "the parent zone only ends like the domain's": (
        {"delegation.parentZone": "v.example.com"},
        "delegation.parentZone:",
        "a zone above dev.example.com",
    ),
    "the parent zone is the domain": (
        {"delegation.parentZone": "dev.example.com"},
        "delegation.parentZone:",
        "a zone above dev.example.com",
    ),
    "the resolver is a name": ({"delegation.resolver": "one.one"}, "delegation.resolver:", "IP address"),
    "a key of the delegation is misspelt": (
        {"delegation.parentzone": "example.com"},
        "delegation.parentzone: unknown key",
        "did you mean 'parentZone'?",
    ),
    "the namespace is no label": ({"namespace": "Team.A"}, "namespace:", "DNS label"),
    "the namespace is too long": ({"namespace": "a" * 64}, "namespace:", "63"),
    "protect is neither yes nor no": ({"protect": "perhaps"}, 'protect: found "perhaps"', "true or false"),
    "a key is misspelt": ({"namspace": "web"}, "namspace: unknown key", "did you mean 'namespace'?"),
    "an object is misspelt": ({"registri": {"server": "x"}}, "registri: unknown key", "'registry'?"),
    "aws is missing": ({"aws": ABSENT}, "aws: found nothing", "an object"),
    "aws is a text": ({"aws": "us-east-1"}, "aws: found text", "an object"),
    "the region is missing": ({"aws.region": ABSENT}, "aws.region: found nothing", "us-east-1"),
    "the region is a zone": ({"aws.region": "us-east-1a"}, "aws.region:", "us-east-1"),
    "the endpoint has no scheme": ({"aws.endpoint": "localhost:4566"}, "aws.endpoint:", "URL"),
    "the endpoint has another scheme": ({"aws.endpoint": "s3://bucket"}, "aws.endpoint:", "URL"),
    "the endpoint has a path": ({"aws.endpoint": "http://localhost/aws"}, "aws.endpoint:", "without a path"),
    "the endpoint's port is out of range": (
        {"aws.endpoint": "http://localhost:99999"},
        "aws.endpoint:",
        "URL",
    ),
    "the endpoint is empty": ({"aws.endpoint": ""}, "aws.endpoint:", "URL"),
    "the tags are a list": ({"aws.tags": ["a"]}, "aws.tags: found a list", "an object"),
    "a tag is a number": ({"aws.tags": {"cost": 7}}, "aws.tags.cost: found 7", "a text"),
    "a tag is AWS's own": (
        {"aws.tags": {"AWS:owner": "me"}},
        "aws.tags.AWS:owner:",
        "without the prefix aws:",
    ),
    "a tag is too long": ({"aws.tags": {"note": "a" * 257}}, "aws.tags.note:", "256"),
    "the cluster is missing": ({"cluster": ABSENT}, "cluster: found nothing", "an object"),
    "the driver is missing": ({"cluster.driver": ABSENT}, "cluster.driver: found nothing", "existing"),
    "the driver is unknown": ({"cluster.driver": "gke"}, 'cluster.driver: found "gke"', "existing"),
    "the driver is misspelt": ({"cluster.driver": "exsiting"}, "cluster.driver:", "did you mean 'existing'?"),
    "the cluster's name is none": ({"cluster.name": "use_1"}, "cluster.name:", "DNS labels"),
    "the kubeconfig is missing": (
        {"cluster.kubeconfigFile": ABSENT},
        "cluster.kubeconfig: found none",
        "kubeconfigStack",
    ),
    "the kubeconfig is given twice": (
        {"cluster.kubeconfig": KUBECONFIG},
        "cluster.kubeconfig: found kubeconfig and kubeconfigFile",
        "one of",
    ),
    "the kubeconfig is in a file and in a stack": (
        {"cluster.kubeconfigStack": "organization/other/prod"},
        "cluster.kubeconfig: found kubeconfigFile and kubeconfigStack",
        "one of",
    ),
    "the kubeconfig's stack is not named in full": (
        {"cluster.kubeconfigFile": ABSENT, "cluster.kubeconfigStack": "prod"},
        'cluster.kubeconfigStack: found "prod"',
        "<organization>/<project>/<stack>",
    ),
    "the kubeconfig's stack is this one": (
        {"cluster.kubeconfigFile": ABSENT, "cluster.kubeconfigStack": f"organization/{PROJECT}/test"},
        "cluster.kubeconfigStack:",
        "another stack",
    ),
    "the kubeconfig's output has no stack": (
        {"cluster.kubeconfigOutput": "admin"},
        "cluster.kubeconfigOutput:",
        "without kubeconfigStack",
    ),
    "the kubeconfig's output is none": (
        {
            "cluster.kubeconfigFile": ABSENT,
            "cluster.kubeconfigStack": "organization/other/prod",
            "cluster.kubeconfigOutput": "a b",
        },
        "cluster.kubeconfigOutput:",
        "the name of an output",
    ),
    "the kind of balancer is unknown": (
        {"cluster.balancer": "alb"},
        'cluster.balancer: found "alb"',
        "classic, nlb, none",
    ),
    "no balancer ends TLS, nor do the pods": (
        {"cluster.balancer": "none"},
        "app.tlsSecret: found nothing",
        "behind cluster.balancer none",
    ),
    "both the balancer and the pods are to end TLS": (
        {"app.tlsSecret": "site-tls"},
        'app.tlsSecret: found "site-tls"',
        "the balancer, which is classic, ends TLS",
    ),
    "the Secret's name is none": (
        {"cluster.balancer": "none", "app.tlsSecret": "Site TLS"},
        "app.tlsSecret:",
        "DNS labels",
    ),
    "the kubeconfig's file is not there": (
        {"cluster.kubeconfigFile": "none/kubeconfig"},
        'cluster.kubeconfigFile: found "none/kubeconfig"',
        "No such file",
    ),
    "the kubeconfig's file is a directory": (
        {"cluster.kubeconfigFile": "/"},
        "cluster.kubeconfigFile:",
        "directory",
    ),
    "the registry's driver is unknown": ({"registry.driver": "ecs"}, 'registry.driver: found "ecs"', "did you mean"),
    "a login for ECR, which gives its own": (
        {"registry": {"driver": "ecr", "username": "AWS"}},
        "registry.username: unknown key",
        "expected one of driver",
    ),
    "ECR takes no such repository": (
        {"registry": {"driver": "ecr"}, "image.repository": "team__app"},
        'image.repository: found "team__app"',
        "ECR repository",
    ),
    "the server is missing": (
        {"registry.server": ABSENT},
        "registry.server: found nothing",
        "registry.example.com",
    ),
    "the server has a scheme": (
        {"registry.server": "https://r.example.com"},
        "registry.server:",
        "no scheme",
    ),
    "the user's name has a colon": ({"registry.username": "a:b"}, "registry.username:", "colons"),
    "the e-mail address is none": ({"registry.email": "ci"}, "registry.email:", "e-mail"),
    "the password is missing": (
        {"registry.passwordFile": ABSENT},
        "registry.password: found neither",
        "passwordFile",
    ),
    "the password is in plain text": (
        {"registry.passwordFile": ABSENT, "registry.password": "swordfish"},
        "registry.password: found plain text",
        "pulumi config set --secret --path registry.password",
    ),
    "the password's file is not there": (
        {"registry.passwordFile": "none/password"},
        "registry.passwordFile:",
        "No such file",
    ),
    "a key of the registry is misspelt": (
        {"registry.usrname": "ci"},
        "registry.usrname: unknown key",
        "did you mean 'username'?",
    ),
    "the repository has a tag": (
        {"image.repository": "a/b:v1"},
        "image.repository:",
        "without server or tag",
    ),
    "the repository is in upper case": (
        {"image.repository": "Contraslash/x"},
        "image.repository:",
        "lower case",
    ),
    "the tag is latest": ({"image.tag": "latest"}, 'image.tag: found "latest"', "one version"),
    "the tag has a space": ({"image.tag": "v 1"}, "image.tag:", "letters"),
    "the tag is a number": ({"image.tag": 1.0}, "image.tag: found 1.0", "in quotes"),
    "the base is no image": ({"image.base": "python 3"}, "image.base:", "python:3.13"),
    "the platform is unknown": (
        {"image.platform": "linux/riscv64"},
        "image.platform:",
        "linux/amd64, linux/arm64",
    ),
    "the digest is an image": (
        {"image.digest": "registry.example.com/a/b@sha256:" + "0" * 64},
        "image.digest:",
        "64",
    ),
    "the digest is cut off": ({"image.digest": "sha256:" + "0" * 63}, "image.digest:", "64"),
    "the context has no Dockerfile": ({"image.context": "docs"}, "image.context:", "Dockerfile"),
    "there are no replicas": ({"app.replicas": 0}, "app.replicas: found 0", "1 or more"),
    "the replicas are a text": ({"app.replicas": "2"}, 'app.replicas: found "2"', "without quotes"),
    "the replicas are true": ({"app.replicas": True}, "app.replicas: found true", "whole number"),
    "the replicas are a fraction": ({"app.replicas": 1.5}, "app.replicas: found 1.5", "whole number"),
    "the port is out of range": ({"app.port": 65536}, "app.port: found 65536", "from 1024 to 65535"),
    "the port is root's": ({"app.port": 80}, "app.port: found 80", "from 1024 to 65535"),
    "the port is a text": ({"app.port": "8000"}, 'app.port: found "8000"', "without quotes"),
    "debug is a text": ({"app.debug": "False"}, 'app.debug: found "False"', "without quotes"),
    "the key is in plain text": ({"app.secretKey": KEY}, "app.secretKey: found plain text", "app.secretKey"),
    "app is null": ({"app": None}, "app: found nothing", "an object"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_it_is_refused_when(config: Inputs, case: str) -> None:
    changes, begins, has = REFUSED[case]
    (problem,) = refusal(changed(config, changes))
    assert problem.startswith(begins)
    assert has in problem


@pytest.mark.parametrize(
    ("changes", "begins", "has"),
    [
        ({"app.secretKey": "short"}, "app.secretKey:", "at least 50"),
        ({"app.secretKey": "ab" * 40}, "app.secretKey:", "5 of them different"),
        ({"app.secretKey": f"django-insecure-{KEY}"}, "app.secretKey:", "of your own"),
        ({"app.secretKey": 1234567}, "app.secretKey: found a number", "a text"),
        ({"registry.passwordFile": ABSENT, "registry.password": " "}, "registry.password:", "not empty"),
        ({"cluster.kubeconfigFile": ABSENT, "cluster.kubeconfig": "{"}, "cluster.kubeconfig:", "in YAML"),
        (
            {"cluster.kubeconfigFile": ABSENT, "cluster.kubeconfig": "text"},
            "cluster.kubeconfig:",
            "an object",
        ),
    ],
)
def test_a_bad_secret_is_refused_without_being_shown(
    config: Inputs, changes: dict[str, Any], begins: str, has: str
) -> None:
    (problem,) = refusal(changed(config, changes), "app", "registry", "cluster")
    assert problem.startswith(begins)
    assert has in problem
    for secret in changes.values():
        assert len(str(secret)) < 5 or secret is ABSENT or str(secret) not in problem


@pytest.mark.parametrize(
    ("content", "has"),
    [
        ("clusters: [", "in YAML"),
        ("", "an object"),
        (KUBECONFIG.replace("current-context: admin@test", ""), "with a current-context"),
        (KUBECONFIG.replace("current-context: admin@test", "current-context: other"), "one of its contexts"),
    ],
)
def test_a_kubeconfig_that_says_not_where_to_deploy_is_refused(
    config: Inputs, tmp_path: Path, content: str, has: str
) -> None:
    (tmp_path / "kubeconfig").write_text(content)
    (problem,) = refusal(config)
    assert problem.startswith("cluster.kubeconfigFile:")
    assert has in problem
    assert "kubeconfig-token" not in problem


def test_an_empty_password_file_is_refused(config: Inputs, tmp_path: Path) -> None:
    (tmp_path / "password").write_text("\n")
    (problem,) = refusal(config)
    assert problem.startswith("registry.passwordFile:")


def test_a_plain_password_is_not_shown(config: Inputs) -> None:
    (problem,) = refusal(changed(config, {"registry.passwordFile": ABSENT, "registry.password": "swordfish"}))
    assert "swordfish" not in problem


def test_all_problems_are_told_at_once(config: Inputs) -> None:
    problems = refusal(changed(config, {"domain": "x", "app.port": 1, "registry.email": "", "image.tga": "v1"}))
    assert [each.split(":")[0] for each in problems] == ["domain", "registry.email", "image.tga", "app.port"]


def test_an_empty_configuration_is_refused_by_what_it_lacks() -> None:
    assert [each.split(":")[0] for each in refusal({})][:1] == ["domain"]
    assert {"aws", "cluster", "registry"} <= {each.split(":")[0] for each in refusal({})}


def test_the_refusal_is_all_that_pulumi_shows() -> None:
    # For any other exception Pulumi shows the traceback of the program.
    assert issubclass(configuration.ConfigError, pulumi.RunError)


def test_what_is_not_given_has_its_default(config: Inputs) -> None:
    settings = load(config)
    assert (settings.host, settings.namespace, settings.protect) == (
        "ejemplo-django.dev.example.com",
        "default",
        True,
    )
    assert settings.image == configuration.Image(
        tag="v1",
        base="python:3.13-slim-bookworm",
        platform="linux/amd64",
        context=config["image"]["context"],
        digest=None,
    )
    assert settings.registry.repository == "contraslash/ejemplo-django"
    assert (settings.app.replicas, settings.app.port, settings.app.debug) == (2, 8000, False)
    assert settings.app.secret_key is None
    assert settings.aws.endpoint is None


@pytest.mark.parametrize(
    "changes",
    [
        {"domain": "a" * 46 + ".example", "host": "a" * 46 + ".example"},
        {"host": "a.b.dev.example.com"},
        {"registry.server": "localhost:5000"},
        {"registry.driver": "login", "image.repository": "team__app"},
        {"registry": {"driver": "ecr"}, "image.repository": "team/a.b_c-d"},
        {"image.tag": "2024-01-31_rc.1"},
        {"image.base": f"registry.example.com:5000/base/python@sha256:{'0' * 64}"},
        {"image.digest": f"sha256:{'0f' * 32}"},
        {"app.port": 1024},
        {"app.port": 65535},
        {"app.replicas": 1},
        {"aws.region": "us-gov-west-1"},
        {"aws.endpoint": "https://aws.example.test/"},
    ],
)
def test_what_is_just_allowed_is_taken(config: Inputs, changes: dict[str, Any]) -> None:
    assert load(changed(config, changes))


def test_a_path_may_begin_at_home(config: Inputs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert load(changed(config, {"cluster.kubeconfigFile": "~/kubeconfig"}))


def test_settings_show_no_secret(config: Inputs) -> None:
    shown = repr(load(config))
    assert "registry.example.test" in shown
    assert not re.search("password|kubeconfig|secret_key", shown)


def schema() -> Inputs:
    described: Inputs = yaml.safe_load((ROOT / "Pulumi.yaml").read_text())["config"]
    return described


def camel_case(name: str) -> str:
    return re.sub("_(.)", lambda found: found[1].upper(), name)


def test_the_schema_describes_every_key_and_no_other() -> None:
    assert schema().keys() == {exported_name(each.name) for each in dataclasses.fields(configuration.Settings)}
    cluster = [EksSettings, EksNodeGroup, ExistingSettings, KopsSettings, ControlPlane, NodeGroup]
    objects: dict[str, list[type]] = {
        "aws": [configuration.Aws],
        "cluster": [*cluster],
        "registry": [configuration.LoginRegistry, configuration.EcrRegistry],
        "image": [configuration.Image],
        "app": [configuration.App],
    }
    for key, classes in objects.items():
        described = set(re.findall(r"\w+", schema()[key]["description"]))
        fields = {camel_case(field.name) for each in classes for field in dataclasses.fields(each)}
        assert fields <= described, key


def test_the_schema_has_the_defaults_of_the_program(config: Inputs) -> None:
    # The engine hands over a default as if the stack had it.
    defaults = {key: described["default"] for key, described in schema().items() if "default" in described}
    assert defaults.keys() >= {"host", "namespace", "protect"}
    assert load(defaults | config) == load(config)


@pytest.mark.parametrize(("stack", "encrypted"), [("dev", ("registry",)), ("local", ())])
def test_the_stack_files_are_taken_as_they_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stack: str, encrypted: tuple[str, ...]
) -> None:
    for file, content in {
        ".kube/config": KUBECONFIG,
        ".sandbox/kubeconfig": KUBECONFIG,
        ".sandbox/secrets/registry-password": "password",
        "app/Dockerfile": "",
    }.items():
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).write_text(content)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    given = yaml.safe_load((ROOT / f"Pulumi.{stack}.yaml").read_text())["config"]
    assert given.pop("pulumi:disable-default-providers") == ["aws", "kubernetes"]
    config = {key.removeprefix(f"{PROJECT}:"): value for key, value in given.items()}
    if encrypted:  # the operator's own, which no file in the repository has
        config["registry"]["password"] = "the-operators-own"
    settings = load(config, *encrypted)
    assert settings.host == f"ejemplo-django.{settings.domain}"
