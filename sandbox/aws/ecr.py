"""ECR: passwords that expire, and that its registry accepts until then."""

from base64 import b64encode

from moto.core.responses import ActionResult
from moto.ecr.responses import ECRResponse

from sandbox import addresses
from sandbox.aws import ecr_registry
from sandbox.aws.patch import patch
from sandbox.layout import Layout


def passwords_end(layout: Layout) -> None:
    """Make each call return a new password, which the registry accepts until it expires: moto's is always the same."""

    def get_authorization_token(self: ECRResponse) -> ActionResult:
        passwords = []
        for registry in self._get_param("registryIds") or [self.current_account]:
            password, expires = ecr_registry.new_password(layout)
            passwords.append(
                {
                    "authorizationToken": b64encode(f"{ecr_registry.USER}:{password}".encode()).decode(),
                    "expiresAt": expires,
                    "proxyEndpoint": f"https://{registry}{addresses.ECR_DOMAIN}",
                }
            )
        return ActionResult({"authorizationData": passwords})

    patch(ECRResponse, "get_authorization_token", get_authorization_token)
