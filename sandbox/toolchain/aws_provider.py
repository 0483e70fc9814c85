"""Cut terraform-provider-aws down to what the program uses: an hour of compiling becomes minutes.

The code inside Pulumi's official AWS plugin is terraform-provider-aws. Its own Go module keeps everything internal; a
fork of it is published that adds one package, `xpprovider`, and changes nothing else. The module names all of AWS in
two generated files, a list of service packages and the clients of the AWS SDK. So a copy is made of what the wanted
services need: those packages as they were published, but for three things, each a rule below.
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
"""The services whose types are in the plugin's table (go/pulumi-resource-aws/table.go)."""

_FORK = "github.com/upbound/terraform-provider-aws"
_VERSION = "v0.0.0-20260305123303-f7691456b787"
_SUM = "h1:dJlp2eNgY/iVKTPINdguYlHbHc9CtXBZKmQmqYq0REs="
"""What Go's own checksum of the module must be; the public checksum database does not have the fork."""

_MODULE = "github.com/hashicorp/terraform-provider-aws"
_SERVICE_PACKAGES = Path("internal/provider/sdkv2/service_packages_gen.go")
_CLIENTS = Path("internal/conns/awsclient_gen.go")
_IMPORT = re.compile(rf'^(?:import )?\s*(?:\w+ )?"{_MODULE}/([^"]+)"$', re.MULTILINE)
_CLIENT = re.compile(r"^func \(c \*AWSClient\) (\w+)\(ctx .*?^}\n", re.MULTILINE | re.DOTALL)

WAIT = "SANDBOX_AWS_WAIT_MS"
"""Environment variable of the plugin: the longest that it waits between two looks at AWS, in milliseconds.

Without it the plugin waits as long as the official one, which is right for AWS and wasted on a cloud that answers at
once: 15 s for a change in Route 53, 10 s for a key, 12 s for a VPC."""


def fetch() -> Path:
    """Have the fork in Go's module cache; give its folder.

    Raises subprocess.CalledProcessError when it cannot be fetched, and OSError when it is not what it was.
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
    """Copy the provider's entry and all that it needs of the module, the two registries cut down, the waits capped."""
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
    """Take the import and the list entry of every other service out."""
    named = re.compile(rf'^\t+(?:"{_MODULE}/internal/service/(\w+)"|(\w+)\.ServicePackage\(ctx\),)\n', re.MULTILINE)
    return named.sub(lambda line: line[0] if (line[1] or line[2]) in SERVICES else "", text)


def _only_called_clients(text: str, called: set[str]) -> str:
    """Take every client out that nobody asks for, and then the imports that nothing is left of."""
    text = _CLIENT.sub(lambda client: client[0] if client[1] in called else "", text)
    sdk = re.compile(r'^\t"github\.com/aws/aws-sdk-go-v2/service/(\w+)"\n', re.MULTILINE)
    return sdk.sub(lambda line: line[0] if f"*{line[1]}.Client" in text else "", text)


def _cap_waits(files: dict[Path, str]) -> None:
    """Let WAIT cap the provider's waits: nearly all end in one timer, and those of EC2 in Terraform's older loop."""
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

// Capped is the wait, or the longest that the environment allows.
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
