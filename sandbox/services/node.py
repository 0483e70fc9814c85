"""The only node of the cluster: its kubelet and its proxy, and the instance that it is in EC2."""

import subprocess
from pathlib import Path
from typing import Any

import boto3
import yaml

from sandbox import addresses, pki
from sandbox.errors import SandboxError
from sandbox.layout import CGROUP, Layout
from sandbox.logins import aws_environment
from sandbox.services.kubernetes import VOLUME_PLUGINS
from sandbox.services.service import Service, http

_NODE = addresses.NODE_ADDRESS


def services(layout: Layout) -> list[Service]:
    """The kubelet and the proxy."""
    etc = layout.etc
    return [
        Service(
            name="kubelet",
            what="Kubernetes node",
            command=[
                str(layout.tools / "kubelet"),
                f"--config={etc / 'kubelet.yaml'}",
                f"--kubeconfig={etc / 'kubelet.kubeconfig'}",
                f"--hostname-override={addresses.NODE}",
                f"--node-ip={_NODE}",
                "--cloud-provider=external",
                f"--image-credential-provider-config={etc / 'credential-provider.yaml'}",
                f"--image-credential-provider-bin-dir={layout.tools}",
            ],
            configure=lambda: _configure_kubelet(layout),
            where=f"{_NODE}:10250",
            healthy=http(f"http://{_NODE}:10248/healthz"),
            needs=("apiserver", "containerd", "moto", "pause image", "kubernetes tools"),
        ),
        Service(
            name="proxy",
            what="Services on the node",
            command=[
                str(layout.tools / "kube-proxy"),
                f"--kubeconfig={etc / 'proxy.kubeconfig'}",
                f"--hostname-override={addresses.NODE}",
                "--proxy-mode=iptables",
                f"--cluster-cidr={addresses.POD_NETWORK}",
                "--conntrack-max-per-core=0",  # the table belongs to the host's kernel
                f"--healthz-bind-address={_NODE}",
                f"--metrics-bind-address={_NODE}",
            ],
            configure=lambda: pki.client(layout, "proxy", user="system:kube-proxy"),
            where=f"{_NODE}:10256",
            healthy=http(f"http://{_NODE}:10249/healthz"),
            needs=("apiserver", "kubernetes tools"),
        ),
    ]


def instance() -> dict[str, Any]:
    """The instance that the node is, as EC2 describes it; on an instance the metadata service would say which."""
    environment = aws_environment()
    ec2 = boto3.client(
        "ec2",
        region_name=addresses.REGION,
        endpoint_url=addresses.AWS_ENDPOINT,
        aws_access_key_id=environment["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=environment["AWS_SECRET_ACCESS_KEY"],
    )
    answer = ec2.describe_instances(Filters=[{"Name": "private-ip-address", "Values": [_NODE]}])
    found: dict[str, Any] = answer["Reservations"][0]["Instances"][0]
    return found


def await_ready(layout: Layout, patience: int) -> None:
    """Wait for the node to be Ready and the cloud controller to have placed it in its zone.

    Raises SandboxError when one of them takes longer than `patience` seconds.
    """
    base = [str(layout.tools / "kubectl"), f"--kubeconfig={layout.kubeconfig}", f"--cache-dir={layout.kubectl_cache}"]
    zone = f"--for=jsonpath={{.metadata.labels.topology\\.kubernetes\\.io/zone}}={addresses.ZONE}"
    for condition in ("--for=create", "--for=condition=Ready", zone):
        waited = subprocess.run(
            [*base, "wait", f"node/{addresses.NODE}", condition, f"--timeout={patience}s"],
            capture_output=True,
            text=True,
            check=False,
        )
        if waited.returncode:
            raise SandboxError(
                "The Kubernetes node is not ready.",
                why=waited.stderr.strip(),
                do="The kubelet's log tells why.",
                log=layout.logs / "kubelet.log",
            )


def _configure_kubelet(layout: Layout) -> None:
    pem = str(pki.server(layout, "kubelet", addresses.NODE, _NODE))
    pki.client(layout, "kubelet", user=f"system:node:{addresses.NODE}", group="system:nodes")
    # As on EKS' nodes (https://cloud-provider-aws.sigs.k8s.io/credential_provider/); only that the identity comes from
    # here, and there from the instance's metadata.
    ecr = {
        "name": "ecr-credential-provider",
        "apiVersion": "credentialprovider.kubelet.k8s.io/v1",
        "matchImages": ["*.dkr.ecr.*.amazonaws.com"],
        "defaultCacheDuration": "12h",
        "env": [{"name": name, "value": value} for name, value in aws_environment("node").items()],
    }
    _write(
        layout.etc / "credential-provider.yaml",
        {"apiVersion": "kubelet.config.k8s.io/v1", "kind": "CredentialProviderConfig", "providers": [ecr]},
    )
    _write(
        layout.etc / "kubelet.yaml",
        {
            "apiVersion": "kubelet.config.k8s.io/v1beta1",
            "kind": "KubeletConfiguration",
            "authentication": {"anonymous": {"enabled": False}, "x509": {"clientCAFile": str(layout.ca)}},
            "authorization": {"mode": "Webhook"},
            "tlsCertFile": pem,
            "tlsPrivateKeyFile": pem,
            "providerID": f"aws:///{addresses.ZONE}/{instance()['InstanceId']}",
            "containerRuntimeEndpoint": f"unix://{layout.containerd_socket}",
            "cgroupDriver": "cgroupfs",
            "cgroupRoot": f"/{CGROUP}",
            "cgroupsPerQOS": True,
            "enforceNodeAllocatable": [],
            "failCgroupV1": False,
            "failSwapOn": False,
            "healthzBindAddress": _NODE,
            "resolvConf": "/etc/resolv.conf",
            # Names outside the cluster are all that the app asks for: the name server serves pods too.
            "clusterDNS": [_NODE],
            # The host's disk is not the machine's to watch over.
            "evictionHard": {"memory.available": "100Mi", "nodefs.available": "0%", "imagefs.available": "0%"},
            "imageGCHighThresholdPercent": 100,
            "volumePluginDir": VOLUME_PLUGINS,
        },
    )


def _write(path: Path, content: dict[str, Any]) -> None:
    path.write_text(yaml.safe_dump(content))
