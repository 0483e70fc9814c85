"""RegistrySecret: the registry's login in the cluster, without which no node can pull the image."""

import base64

import pulumi
import pulumi_kubernetes as kubernetes

from infra.config import Registry


class RegistrySecret(pulumi.ComponentResource):
    """The secret `regcred`, of the type and form that `kubectl create secret docker-registry` gives."""

    name: pulumi.Output[str]

    def __init__(self, name: str, *, registry: Registry, opts: pulumi.ResourceOptions | None = None) -> None:
        """Declare it."""
        super().__init__("ejemplo-django:infra:RegistrySecret", name, None, opts)

        login = pulumi.Output.json_dumps(
            {
                "auths": {
                    registry.server: {
                        "username": registry.username,
                        "password": registry.password,
                        "email": registry.email,
                        "auth": pulumi.Output.concat(registry.username, ":", registry.password).apply(_base64),
                    }
                }
            }
        )
        secret = kubernetes.core.v1.Secret(
            f"{name}-secret",
            metadata={"name": "regcred"},
            type="kubernetes.io/dockerconfigjson",
            string_data={".dockerconfigjson": login},
            opts=pulumi.ResourceOptions(parent=self),
        )

        self.name = secret.metadata.name
        self.register_outputs({"name": self.name})


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()
