"""containerd, which runs the pods' containers, and on top of it the Docker daemon, which builds images."""

import json

from sandbox import addresses
from sandbox.layout import CGROUP, Layout
from sandbox.services import images
from sandbox.services.service import Service, unix

DOCKER = "/usr/bin/docker"
"""Docker's client from the daemon's package, by its path: a newer one earlier on PATH needs more plugins to build."""


def services(layout: Layout) -> list[Service]:
    """Return both daemons; they trust the sandbox's authority besides the system's."""
    return [
        Service(
            name="containerd",
            what="containers",
            command=["containerd", "--config", str(layout.etc / "containerd.toml")],
            environment={"SSL_CERT_FILE": str(layout.ca)},
            configure=lambda: _configure_containerd(layout),
            where=str(layout.containerd_socket),
            healthy=unix(layout.containerd_socket),
        ),
        Service(
            name="docker",
            what="Docker daemon",
            command=[
                "dockerd",
                f"--config-file={layout.etc / 'docker.json'}",
                f"--host=unix://{layout.docker_socket}",
                f"--containerd={layout.containerd_socket}",
                f"--cgroup-parent=/{CGROUP}/docker",
            ],
            environment={"SSL_CERT_FILE": str(layout.ca)},
            configure=lambda: _configure_docker(layout),
            where=str(layout.docker_socket),
            healthy=unix(layout.docker_socket),
            needs=("containerd",),
        ),
    ]


def _configure_docker(layout: Layout) -> None:
    # By default dockerd would write a key.json into the host's /etc/docker, and it has no flag for that.
    content = {"deprecated-key-path": "/var/lib/docker/key.json"}
    (layout.etc / "docker.json").write_text(json.dumps(content))


def _configure_containerd(layout: Layout) -> None:
    networks = layout.etc / "cni"
    networks.mkdir(exist_ok=True)
    bridge = {
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
    }
    ports = {"type": "portmap", "capabilities": {"portMappings": True}}
    pods = {"cniVersion": "0.4.0", "name": "pods", "plugins": [bridge, ports]}
    (networks / "10-pods.conflist").write_text(json.dumps(pods, indent=2))
    (layout.etc / "containerd.toml").write_text(
        f"""\
version = 2
[grpc]
  address = "{layout.containerd_socket}"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "docker.io/{images.PAUSE_IMAGE}"
  # Raising a container's priority needs CAP_SYS_RESOURCE, which root lacks in some environments.
  restrict_oom_score_adj = true
[plugins."io.containerd.grpc.v1.cri".cni]
  bin_dir = "/usr/lib/cni"
  conf_dir = "{networks}"
[plugins."io.containerd.internal.v1.opt"]
  path = "/var/lib/containerd/opt"
"""
    )
