"""The cluster's only node: its kubelet, its proxy, and its EC2 instance."""

import subprocess
from pathlib import Path
from typing import Any

import boto3
import yaml

from sandbox import addresses, pki
from sandbox.errors import SandboxError
from sandbox.layout import CGROUP, Layout
from sandbox.logins import aws_environment
from sandbox.services.kubernetes import VOLUME_PLUGINS, kubectl
from sandbox.services.service import KUBERNETES, Service, http

_NODE = addresses.NODE_ADDRESS


def services(layout: Layout) -> list[Service]:
    """Return the kubelet and the proxy."""
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
            needs=("apiserver", "containerd", "moto", "pause image", KUBERNETES),
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
            needs=("apiserver", KUBERNETES),
        ),
    ]


def instance() -> dict[str, Any]:
    """Return EC2's description of the node's instance, which a real instance would get from the metadata service."""
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
    """Wait until the node exists, is Ready, and has its zone from the cloud controller.

    Raises SandboxError when one of them takes longer than `patience` seconds.
    """
    zone = f"--for=jsonpath={{.metadata.labels.topology\\.kubernetes\\.io/zone}}={addresses.ZONE}"
    try:
        for condition in ("--for=create", "--for=condition=Ready", zone):
            kubectl(layout, "wait", f"node/{addresses.NODE}", condition, f"--timeout={patience}s")
    except subprocess.CalledProcessError as error:
        raise SandboxError(
            "The Kubernetes node is not ready.",
            why=error.stderr.strip(),
            do="The kubelet's log has the reason.",
            log=layout.logs / "kubelet.log",
        ) from error


def _configure_kubelet(layout: Layout) -> None:
    pem = str(pki.server(layout, "kubelet", addresses.NODE, _NODE))
    pki.client(layout, "kubelet", user=f"system:node:{addresses.NODE}", group="system:nodes")
    # As on EKS nodes (https://cloud-provider-aws.sigs.k8s.io/credential_provider/), except that these take their
    # identity from the instance's metadata.
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
            # Pods use the sandbox's name server: the app looks up only names outside of the cluster.
            "clusterDNS": [_NODE],
            # Do not evict pods when the host's disk is full.
            "evictionHard": {"memory.available": "100Mi", "nodefs.available": "0%", "imagefs.available": "0%"},
            "imageGCHighThresholdPercent": 100,
            "volumePluginDir": VOLUME_PLUGINS,
        },
    )


def _write(path: Path, content: dict[str, Any]) -> None:
    path.write_text(yaml.safe_dump(content))
