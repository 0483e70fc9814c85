"""Reduce terraform-provider-aws to what the program uses, which turns an hour of compiling into minutes.

Pulumi's official AWS plugin contains terraform-provider-aws. Its Go module exports nothing; a published fork adds one
package, `xpprovider`, and changes nothing else. Two generated files of the module name all of AWS: a list of service
packages, and the clients of the AWS SDK. This copies only the packages that the program's services need, with three
changes: fewer service packages, fewer clients, and shorter waits.
"""

import json
import os
import re
import subprocess
import tempfile
from pathlib import Path

SERVICES = frozenset(
    {"acm", "cloudwatch", "ec2", "ecr", "eks", "elb", "elbv2", "iam", "kms", "logs", "route53", "s3", "sns", "sts"}
)
"""The services whose types are in the plugin's table (go/pulumi/pulumi-resource-aws/table.go)."""

_FORK = "github.com/upbound/terraform-provider-aws"
_VERSION = "v0.0.0-20260305123303-f7691456b787"
_SUM = "h1:dJlp2eNgY/iVKTPINdguYlHbHc9CtXBZKmQmqYq0REs="
"""The checksum of the module as Go computes it: the public checksum database does not have the fork."""

_MODULE = "github.com/hashicorp/terraform-provider-aws"
_SERVICE_PACKAGES = Path("internal/provider/sdkv2/service_packages_gen.go")
_CLIENTS = Path("internal/conns/awsclient_gen.go")
_IMPORT = re.compile(rf'^(?:import )?\s*(?:\w+ )?"{_MODULE}/([^"]+)"$', re.MULTILINE)
_CLIENT = re.compile(r"^func \(c \*AWSClient\) (\w+)\(ctx .*?^}\n", re.MULTILINE | re.DOTALL)

WAIT = "SANDBOX_AWS_WAIT_MS"
"""The plugin's environment variable for its longest wait between two requests about a resource, in milliseconds.

Without it the plugin waits as long as the official one: 15 s for a change in Route 53, 10 s for a key, 12 s for a VPC.
AWS needs that; a cloud that answers at once does not."""


def fetch() -> Path:
    """Download the fork into Go's module cache, and return its folder.

    Raise subprocess.CalledProcessError if the download fails, and OSError if the checksum is another.
    """
    with tempfile.TemporaryDirectory() as nowhere:
        said = subprocess.run(
            ["go", "mod", "download", "-json", f"{_FORK}@{_VERSION}"],
            cwd=nowhere,
            env=os.environ | {"GONOSUMDB": _FORK, "GOFLAGS": "-mod=mod"},
            check=True,
            capture_output=True,
            text=True,
        )
    module = json.loads(said.stdout)
    if module["Sum"] != _SUM:
        raise OSError(f"{_FORK} {_VERSION} has the checksum {module['Sum']}, not {_SUM}")
    return Path(module["Dir"])


def cut(source: Path, to: Path) -> None:
    """Copy `xpprovider` and the packages that it needs, with fewer services and clients, and with shorter waits."""
    files = {Path(name): (source / name).read_text() for name in ("go.mod", "go.sum", "LICENSE")}
    files[Path("internal/service/smarterr.hcl")] = (source / "internal/service/smarterr.hcl").read_text()  # embedded
    packages, todo = set[Path](), [Path("xpprovider")]
    while todo:
        package = todo.pop()
        if package in packages:
            continue
        packages.add(package)
        for file in (source / package).iterdir():
            if file.is_file() and not file.name.endswith("_test.go"):
                text = file.read_text()
                if package / file.name == _SERVICE_PACKAGES:
                    text = _only_wanted_services(text)
                files[package / file.name] = text
                todo += [Path(found) for found in _IMPORT.findall(text) if file.suffix == ".go"]
    called = {name for path, text in files.items() if path != _CLIENTS for name in re.findall(r"\.(\w+Client)\(", text)}
    files[_CLIENTS] = _only_called_clients(files[_CLIENTS], called)
    _cap_waits(files)
    for path, text in files.items():
        (to / path).parent.mkdir(parents=True, exist_ok=True)
        (to / path).write_text(text)


def _only_wanted_services(text: str) -> str:
    """Remove the import and the list entry of every other service."""
    named = re.compile(rf'^\t+(?:"{_MODULE}/internal/service/(\w+)"|(\w+)\.ServicePackage\(ctx\),)\n', re.MULTILINE)
    return named.sub(lambda line: line[0] if (line[1] or line[2]) in SERVICES else "", text)


def _only_called_clients(text: str, called: set[str]) -> str:
    """Remove the clients that no package calls, and then the unused imports."""
    text = _CLIENT.sub(lambda client: client[0] if client[1] in called else "", text)
    sdk = re.compile(r'^\t"github\.com/aws/aws-sdk-go-v2/service/(\w+)"\n', re.MULTILINE)
    return sdk.sub(lambda line: line[0] if f"*{line[1]}.Client" in text else "", text)


def _cap_waits(files: dict[Path, str]) -> None:
    """Let WAIT limit the provider's waits: nearly all use one timer, and EC2's use Terraform's older loop."""
    timer = Path("internal/backoff/backoff.go")
    files[timer] = files[timer].replace("return time.After(d)", "return time.After(Capped(d))")
    files[timer.with_name("capped.go")] = f"""\
package backoff

import (
	"os"
	"strconv"
	"time"
)

var longest, _ = strconv.Atoi(os.Getenv("{WAIT}"))

// Capped returns the wait, or the longest one that the environment allows.
func Capped(wait time.Duration) time.Duration {{
	if longest > 0 {{
		return min(wait, time.Duration(longest)*time.Millisecond)
	}}
	return wait
}}
"""
    waits = Path("internal/service/ec2/wait.go")
    text = re.sub(r"\b(Delay|MinTimeout|PollInterval):(\s+)(.+),\n", r"\1:\2backoff.Capped(\3),\n", files[waits])
    files[waits] = text.replace("\nimport (\n", f'\nimport (\n\t"{_MODULE}/internal/backoff"\n', 1)
