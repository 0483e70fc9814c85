"""The rights in AWS: what each policy allows, its reasons in docs/ci.md, and the program that makes the roles."""

import json
import re
import runpy
from itertools import takewhile
from pathlib import Path
from typing import Any

import botocore.session
import pytest
from moto.iam.access_control import IAMPolicy, PermissionResult

from tests import recorder
from tests.recorder import ROOT, Graph

FOLDER = ROOT / "ops" / "policies"
PAGE = (ROOT / "docs" / "ci.md").read_text(encoding="utf-8")
DEPLOY = [FOLDER / f"{part}.json" for part in ("deploy", "deploy-ecr", "deploy-kops", "deploy-eks")]
STORE = "clusters.dev.example.com"


def may(action: str, resource: str = "*") -> bool:
    policy = IAMPolicy((FOLDER / "preview.json").read_text())
    return policy.is_action_permitted(action, resource) is PermissionResult.PERMITTED


def test_of_all_that_the_services_can_do_the_preview_may_do_nothing_but_read() -> None:
    session = botocore.session.get_session()
    services = ("acm", "ec2", "ecr", "eks", "elb", "iam", "kms", "logs", "route53", "s3", "secretsmanager", "sts")
    actions = [f"{each}:{name}" for each in services for name in session.get_service_model(each).operation_names]
    resources = ("*", f"arn:aws:s3:::{STORE}", f"arn:aws:s3:::{STORE}/key", "arn:aws:s3:::acme-pulumi-state/key")
    allowed = {action for action in actions for resource in resources if may(action, resource)}
    assert {"route53:GetHostedZone", "s3:GetBucketPolicy", "acm:DescribeCertificate"} <= allowed
    reading = ("Get", "List", "Describe", "Decrypt")
    assert [each for each in allowed if not each.split(":")[1].startswith(reading)] == []
    # An ECR password carries the rights of its owner, so this one can neither pull nor push.
    assert not {"ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer", "ecr:PutImage"} & allowed
    assert may("s3:GetObject", "arn:aws:s3:::acme-pulumi-state/.pulumi/stacks/dev.json")
    assert not may("s3:GetObject", f"arn:aws:s3:::{STORE}/key")


def test_every_statement_of_a_deployment_has_its_reason_on_the_page() -> None:
    lines = PAGE.partition("\n## The rights in AWS\n")[2].splitlines()
    start = next(index for index, line in enumerate(lines) if line.startswith("| --- "))
    rows = takewhile(lambda line: line.startswith("|"), lines[start + 1 :])
    cells = [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]
    statements = [each["Sid"] for file in DEPLOY for each in json.loads(file.read_text())["Statement"]]
    assert [row[0].strip("`") for row in cells] == statements
    assert all(re.fullmatch(r"yes|no: .+", row[2]) and row[1] for row in cells)


@pytest.mark.parametrize("file", DEPLOY, ids=lambda file: file.stem)
def test_no_deployment_can_give_itself_more_rights(file: Path) -> None:
    for statement in json.loads(file.read_text())["Statement"]:
        actions = statement["Action"] if isinstance(statement["Action"], list) else [statement["Action"]]
        condition = {key for each in statement.get("Condition", {}).values() for key in each}
        assert "iam:*" not in actions
        if {"iam:AttachRolePolicy", "iam:PutRolePolicy"} & {*actions}:
            assert condition & {"iam:PermissionsBoundary", "iam:PolicyARN"}
        if "iam:PassRole" in actions:
            assert "iam:PassedToService" in condition
        assert not re.search(r"PermissionsBoundary|PolicyVersion|iam:CreatePolicy\b", " ".join(actions))


@pytest.fixture(scope="module")
def made() -> Graph:
    """Record what ops/bootstrap declares. No provider runs it: the embedded one lacks two of its types."""
    stacks = {
        "dev": {"domain": "dev.example.com", "driver": "kops", "cluster": "useast1.dev.example.com"},
        "prod": {"domain": "prod.example.com", "driver": "eks", "cluster": "prod", "repository": "prod/site"},
    }
    github = {"owner": "acme", "ownerId": "11", "repository": "site", "repositoryId": "22"}
    given = {"name": "acme", "account": "000000000000", "region": "us-east-1", "github": github, "stacks": stacks}
    name = "ejemplo-django-bootstrap"
    values = {f"{name}:{key}": each for key, each in given.items()}
    program = str(ROOT / "ops" / "bootstrap" / "__main__.py")
    return recorder.record(lambda: runpy.run_path(program), values=values, preview=True, project=name)


def documents(graph: Graph, type_: str, key: str) -> dict[str, Any]:
    return {each.name: json.loads(each.inputs[key]) for each in graph.of(type_)}


def test_each_role_has_its_policies_with_every_word_replaced_and_none_is_too_long(made: Graph) -> None:
    policies = documents(made, "Policy", "policy")
    assert set(policies) == {
        "acme-preview-preview",
        "acme-dev-deploy-deploy",
        "acme-dev-deploy-deploy-kops",
        "acme-dev-machines",
        "acme-prod-deploy-deploy",
        "acme-prod-deploy-deploy-eks",
        "acme-prod-deploy-deploy-ecr",
    }
    for each in policies.values():
        text = json.dumps(each, separators=(",", ":"))
        # A managed policy may have 6144 characters, not counting white space (IAM and STS quotas).
        assert len(text) <= 6144
        assert not re.search(r"\b(ACCOUNT|REGION|DOMAIN|CLUSTER|REPOSITORY|BOUNDARY|STACK)\b", text)
    [bounded] = [
        each for each in policies["acme-dev-deploy-deploy-kops"]["Statement"] if "iam:CreateRole" in each["Action"]
    ]
    boundary = {"iam:PermissionsBoundary": "arn:aws:iam::000000000000:policy/acme-dev-machines"}
    assert bounded["Condition"] == {"StringEquals": boundary}


def test_each_role_trusts_its_jobs_of_one_repository_by_both_forms_of_its_name(made: Graph) -> None:
    key = "token.actions.githubusercontent.com:sub"
    trusted = {
        name: set(each["Statement"][0]["Condition"]["StringEquals"][key])
        for name, each in documents(made, "Role", "assumeRolePolicy").items()
    }
    forms = ("repo:acme/site", "repo:acme@11/site@22")
    assert trusted == {
        "acme-preview": {f"{form}:{what}" for form in forms for what in ("pull_request", "ref:refs/heads/main")},
        "acme-dev-deploy": {f"{form}:environment:dev" for form in forms},
        "acme-prod-deploy": {f"{form}:environment:prod" for form in forms},
    }


def test_the_bucket_and_the_key_are_protected_and_in_the_account_that_was_named(made: Graph) -> None:
    assert {(each.type, each.inputs.get("bucket")) for each in made.resources if each.protect} == {
        ("aws:s3/bucket:Bucket", "acme-pulumi-state"),
        ("aws:kms/key:Key", None),
    }
    [provider] = [each for each in made.resources if each.type == "pulumi:providers:aws"]
    assert json.loads(provider.inputs["allowedAccountIds"]) == ["000000000000"]
    assert all(each.provider.startswith(provider.urn) for each in made.resources if each != provider)
