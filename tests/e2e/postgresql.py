"""A PostgreSQL server as a pod of the sandbox's cluster, for applications that need one."""

import json
import secrets
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from tests.e2e.stack import Stack

NAME = "postgresql"
"""The name of the namespace, the pod and the Service."""

_IMAGE = "sandbox/postgresql:15"
_DOCKERFILE = """\
FROM python:3.11-slim-bookworm
RUN apt-get update && apt-get install --yes --no-install-recommends postgresql
USER postgres
ENV PATH=/usr/lib/postgresql/15/bin:$PATH PGDATA=/tmp/data
RUN initdb --auth-local=trust && echo host all all all scram-sha-256 >>$PGDATA/pg_hba.conf
CMD ["postgres", "-c", "listen_addresses=*", "-c", "fsync=off"]
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """The server, and the stack whose kubectl reaches it."""

    stack: Stack
    address: str
    """The Service's IP address: the sandbox's name server knows no Services."""

    def sql(self, *statements: str) -> str:
        """Run statements as user postgres in the database postgres; return all their rows."""
        options = [f"--command={each}" for each in statements]
        inside = ("psql", "--dbname=postgres", "--tuples-only", "--no-align", *options)
        return self.stack.kubectl("exec", NAME, f"--namespace={NAME}", "--", *inside).strip()

    def login(self, user: str, *, database: str, rights: str = "") -> str:
        """Create a user with a password; return the URL of the database for it."""
        password = secrets.token_hex(16)
        self.sql(f"CREATE ROLE {user} LOGIN PASSWORD '{password}' {rights}")
        return f"postgres://{user}:{password}@{self.address}:5432/{database}"


@contextmanager
def server(stack: Stack) -> Iterator[Server]:
    """Build the image, import it on the node, and run it until the block ends."""
    stack.run("docker", "build", "--tag", _IMAGE, "-", stdin=_DOCKERFILE, timeout=600)
    containerd = ["ctr", "--address", str(stack.layout.containerd_socket), "--namespace", "k8s.io"]
    archive = stack.layout.run / "postgresql.tar"
    try:
        stack.run("docker", "save", "--output", str(archive), _IMAGE)
        subprocess.run([*containerd, "images", "import", str(archive)], check=True, capture_output=True)
    finally:
        archive.unlink(missing_ok=True)
    stack.kubectl("create", "namespace", NAME)
    try:
        stack.kubectl("apply", "--filename=-", f"--namespace={NAME}", stdin=json.dumps(_POD))
        stack.kubectl("expose", f"pod/{NAME}", "--port=5432", f"--namespace={NAME}")
        stack.kubectl("wait", f"pod/{NAME}", f"--namespace={NAME}", "--for=condition=Ready", "--timeout=60s")
        service = stack.objects(f"service/{NAME}", f"--namespace={NAME}")
        yield Server(stack=stack, address=service["spec"]["clusterIP"])
    finally:
        stack.kubectl("delete", "namespace", NAME)


_POD = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": NAME, "labels": {"app": NAME}},
    "spec": {
        "terminationGracePeriodSeconds": 1,
        "containers": [
            {
                "name": NAME,
                "image": _IMAGE,
                "imagePullPolicy": "Never",
                "readinessProbe": {"exec": {"command": ["pg_isready"]}, "periodSeconds": 1},
            }
        ],
    },
}
