"""What EKS' operations have in common: parameters, errors, and updates."""

from collections.abc import Callable, Iterable
from typing import Any

from moto.core.responses import ActionResult
from moto.core.utils import utcnow
from moto.eks.exceptions import InvalidParameterException, ResourceNotFoundException
from moto.eks.models import Cluster
from moto.eks.responses import EKSResponse
from moto.moto_api._internal import mock_random

from sandbox.aws.patch import patch

Parameters = dict[str, Any]
Operation = Callable[[Cluster, Parameters, EKSResponse], Parameters]


def operation(name: str, *known: str) -> Callable[[Operation], Operation]:
    """Serve a function as an EKS operation (in snake_case) on a cluster. Parameters other than `known` are refused.

    The function takes the cluster, the request's parameters by their API names, and the request; it returns the answer,
    by its API names.
    """

    def add(function: Operation) -> Operation:
        def respond(self: EKSResponse) -> ActionResult:
            cluster = self.eks_backend.describe_cluster(str(self._get_param("name")))
            return ActionResult(function(cluster, parameters(self, known), self))

        patch(EKSResponse, name, respond)
        return function

    return add


def parameters(request: EKSResponse, known: Iterable[str]) -> Parameters:
    """Return a request's parameters. Raises InvalidParameterException for one that is not among `known`."""
    request.parse_parameters(request.normalized_request)
    given = {str(name): value for name, value in request.params.items()}
    unknown = sorted(given.keys() - {*known, "name", "clusterName", "nodegroupName", "clientRequestToken"})
    if unknown:
        raise InvalidParameterException(message=f"The sandbox's EKS does not implement {', '.join(unknown)}.")
    return given


def found(some: dict[str, Any], name: str, what: str) -> Any:
    """Return one of a cluster's resources by its name. Raises ResourceNotFoundException when it does not exist."""
    if name not in some:
        raise ResourceNotFoundException(message=f"No {what} found for name: {name}.")
    return some[name]


def updated(cluster: Cluster, kind: str, values: Parameters) -> Parameters:
    """Record a successful update for DescribeUpdate, and return the answer of the operation that made it."""
    update: Parameters = {
        "id": str(mock_random.uuid4()),
        "status": "Successful",
        "type": kind,
        "params": [{"type": name[0].upper() + name[1:], "value": str(value)} for name, value in values.items()],
        "createdAt": utcnow(),
        "errors": [],
    }
    updates(cluster)[update["id"]] = update
    return {"update": update}


def updates(cluster: Cluster) -> dict[str, Any]:
    """Return the updates of a cluster, its node groups and its add-ons, by id."""
    return kept(cluster, "sandbox_updates")


def kept(cluster: Cluster, name: str) -> dict[str, Any]:
    """Return the sandbox's own dictionary of that name on moto's cluster; make it if missing."""
    some: dict[str, Any] = cluster.__dict__.setdefault(name, {})
    return some
