"""The configuration files, keys and certificates of the services."""

import json
import secrets
from pathlib import Path
from typing import Any

import bcrypt
import boto3
import yaml

from sandbox import addresses, images, logins, machine, pki
from sandbox.aws import authenticator
from sandbox.layout import Layout
from sandbox.logins import aws_environment, registry_password
from sandbox.services import VOLUME_PLUGINS


def write(layout: Layout) -> None:
    """Make every folder and file that does not depend on the cloud. What exists of secrets and keys is kept."""
    for folder in (layout.bin, layout.etc, layout.logs, layout.run, layout.var):
        folder.mkdir(parents=True, exist_ok=True)
    layout.root.chmod(0o700)
    layout.secrets.mkdir(mode=0o700, exist_ok=True)
    _certificates(layout)
    _registry(layout)
    _authenticator(layout)
    _ecr_key(layout)
    _containerd(layout)
    # There is no flag for it; left alone, dockerd would make a key.json in the host's /etc/docker.
    _json(layout.etc / "docker.json", {"deprecated-key-path": "/var/lib/docker/key.json"})
    _kubelet(layout, provider_id="")


def _ecr_key(layout: Layout) -> None:
    if not layout.ecr_key.exists():
        layout.ecr_key.write_text(secrets.token_urlsafe(32))
        layout.ecr_key.chmod(0o600)


def node_in_cloud(layout: Layout) -> None:
    """Tell the kubelet and the cloud controller which instance and network they are, as EC2 says.

    On an instance the metadata service would; here the API is asked for the instance with the node's address.
    """
    environment = aws_environment()
    ec2 = boto3.client(
        "ec2",
        region_name=addresses.REGION,
        endpoint_url=addresses.AWS_ENDPOINT,
        aws_access_key_id=environment["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=environment["AWS_SECRET_ACCESS_KEY"],
    )
    found = ec2.describe_instances(Filters=[{"Name": "private-ip-address", "Values": [addresses.NODE_ADDRESS]}])
    instance = found["Reservations"][0]["Instances"][0]
    _kubelet(layout, provider_id=f"aws:///{addresses.ZONE}/{instance['InstanceId']}")
    overrides = "".join(
        f'[ServiceOverride "{number}"]\n'
        f"Service={service}\nRegion={addresses.REGION}\nURL={addresses.AWS_ENDPOINT}\nSigningRegion={addresses.REGION}\n"
        for number, service in enumerate(("ec2", "elasticloadbalancing", "autoscaling"), start=1)
    )
    (layout.etc / "cloud.conf").write_text(
        f"[Global]\nZone={addresses.ZONE}\nVPC={instance['VpcId']}\nSubnetID={instance['SubnetId']}\n"
        f"KubernetesClusterID={addresses.CLUSTER}\n{overrides}"
    )


def _certificates(layout: Layout) -> None:
    pki.authority(layout)
    pki.service_account_key(layout)
    first_service = "10.96.0.1"  # the apiserver's own Service: the first address of SERVICE_NETWORK
    pki.server(layout, "apiserver", addresses.NODE_ADDRESS, first_service, "kubernetes.default.svc", "localhost")
    pki.server(layout, "kubelet", addresses.NODE, addresses.NODE_ADDRESS)
    pki.server(layout, "registry", addresses.REGISTRY.partition(":")[0], addresses.NODE_ADDRESS)
    pki.server(layout, "ecr", f"*{addresses.ECR_DOMAIN}", addresses.ECR_ADDRESS)
    masters = "system:masters"
    pki.client(layout, "apiserver-kubelet", user="kube-apiserver-kubelet-client", group=masters)
    pki.client(layout, "controller-manager", user="system:kube-controller-manager")
    pki.client(layout, "scheduler", user="system:kube-scheduler")
    pki.client(layout, "kubelet", user=f"system:node:{addresses.NODE}", group="system:nodes")
    pki.client(layout, "proxy", user="system:kube-proxy")
    pki.client(layout, "cloud-controller", user="cloud-controller-manager", group=masters)
    pki.client(layout, "admin", user="admin", group=masters).rename(layout.kubeconfig)


def _authenticator(layout: Layout) -> None:
    """Its certificate where it looks for one, its way to the mapping, and the API server's way to it."""
    folder = layout.etc / "authenticator"
    folder.mkdir(exist_ok=True)
    pem = pki.server(layout, "authenticator", addresses.NODE_ADDRESS).read_text()
    for name in ("cert.pem", "key.pem"):
        (folder / name).write_text(pem)
        (folder / name).chmod(0o600)
    _yaml(folder / "config.yaml", {"server": {"dynamicfilepath": str(folder / "mapping.json")}})
    cluster = {
        "server": f"https://{addresses.NODE_ADDRESS}:{authenticator.PORT}/authenticate",
        "certificate-authority": str(layout.ca),
    }
    _yaml(
        folder / "webhook.kubeconfig",
        {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "webhook",
            "clusters": [{"name": "authenticator", "cluster": cluster}],
            "contexts": [{"name": "webhook", "context": {"cluster": "authenticator", "user": "apiserver"}}],
            "users": [{"name": "apiserver", "user": {}}],
        },
    )
    if not (folder / "cluster").exists():
        authenticator.publish(layout, cluster="", mapping=authenticator.NOBODY)


def _registry(layout: Layout) -> None:
    users = layout.etc / "registry.htpasswd"
    if not users.exists():
        hashed = bcrypt.hashpw(registry_password(layout).encode(), bcrypt.gensalt()).decode()
        users.write_text(f"{logins.REGISTRY_USER}:{hashed}\n")
    pem = str(layout.etc / "registry.pem")
    _yaml(
        layout.etc / "registry.yaml",
        {
            "version": 0.1,
            "log": {"accesslog": {"disabled": False}},
            "storage": {"filesystem": {"rootdirectory": "/var/lib/registry"}, "delete": {"enabled": True}},
            "http": {
                "addr": f"{addresses.NODE_ADDRESS}:{addresses.REGISTRY.partition(':')[2]}",
                "tls": {"certificate": pem, "key": pem},
            },
            "auth": {"htpasswd": {"realm": "sandbox", "path": str(users)}},
        },
    )


def _containerd(layout: Layout) -> None:
    networks = layout.etc / "cni"
    networks.mkdir(exist_ok=True)
    _json(
        networks / "10-pods.conflist",
        {
            "cniVersion": "0.4.0",
            "name": "pods",
            "plugins": [
                {
                    "type": "bridge",
                    "bridge": "cni0",
                    "isGateway": True,
                    "ipMasq": True,
                    "hairpinMode": True,
                    "ipam": {
                        "type": "host-local",
                        "ranges": [[{"subnet": addresses.POD_NETWORK.replace(".0.0/16", ".0.0/24")}]],
                        "routes": [{"dst": "0.0.0.0/0"}],
                    },
                },
                {"type": "portmap", "capabilities": {"portMappings": True}},
            ],
        },
    )
    (layout.etc / "containerd.toml").write_text(
        f"""\
version = 2
[grpc]
  address = "{layout.run / "containerd.sock"}"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "docker.io/{images.PAUSE_IMAGE}"
  # Raising a container's priority needs CAP_SYS_RESOURCE, which root does not have everywhere.
  restrict_oom_score_adj = true
[plugins."io.containerd.grpc.v1.cri".cni]
  bin_dir = "/usr/lib/cni"
  conf_dir = "{networks}"
[plugins."io.containerd.internal.v1.opt"]
  path = "/var/lib/containerd/opt"
"""
    )


def _kubelet(layout: Layout, *, provider_id: str) -> None:
    environment = aws_environment("node")
    _yaml(
        layout.etc / "credential-provider.yaml",
        {
            "apiVersion": "kubelet.config.k8s.io/v1",
            "kind": "CredentialProviderConfig",
            # As on EKS' nodes (https://cloud-provider-aws.sigs.k8s.io/credential_provider/); only that the identity
            # comes from here, and there from the instance's metadata.
            "providers": [
                {
                    "name": "ecr-credential-provider",
                    "apiVersion": "credentialprovider.kubelet.k8s.io/v1",
                    "matchImages": ["*.dkr.ecr.*.amazonaws.com"],
                    "defaultCacheDuration": "12h",
                    "env": [{"name": name, "value": value} for name, value in environment.items()],
                }
            ],
        },
    )
    pem = str(layout.etc / "kubelet.pem")
    _yaml(
        layout.etc / "kubelet.yaml",
        {
            "apiVersion": "kubelet.config.k8s.io/v1beta1",
            "kind": "KubeletConfiguration",
            "authentication": {"anonymous": {"enabled": False}, "x509": {"clientCAFile": str(layout.ca)}},
            "authorization": {"mode": "Webhook"},
            "tlsCertFile": pem,
            "tlsPrivateKeyFile": pem,
            "providerID": provider_id,
            "containerRuntimeEndpoint": f"unix://{layout.run / 'containerd.sock'}",
            "cgroupDriver": "cgroupfs",
            "cgroupRoot": f"/{machine.CGROUP}",
            "cgroupsPerQOS": True,
            "enforceNodeAllocatable": [],
            "failCgroupV1": False,
            "failSwapOn": False,
            "healthzBindAddress": addresses.NODE_ADDRESS,
            "resolvConf": "/etc/resolv.conf",
            # Names outside the cluster are all that the app asks for: the name server serves pods too.
            "clusterDNS": [addresses.NODE_ADDRESS],
            # The host's disk is not the machine's to watch over.
            "evictionHard": {
                "memory.available": "100Mi",
                "nodefs.available": "0%",
                "imagefs.available": "0%",
            },
            "imageGCHighThresholdPercent": 100,
            "volumePluginDir": VOLUME_PLUGINS,
        },
    )


def _yaml(path: Path, content: Any) -> None:
    path.write_text(yaml.safe_dump(content))


def _json(path: Path, content: Any) -> None:
    path.write_text(json.dumps(content, indent=2))
