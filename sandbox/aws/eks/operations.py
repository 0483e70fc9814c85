"""What EKS' operations have in common: their parameters, their refusals, and the updates that they leave behind."""

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
    """Serve a function as EKS' operation of that name (in snake_case) on a cluster, with those parameters and no other.

    The function gets the cluster, the request's parameters by their names in the API, and the request itself; it gives
    the answer, by the names in the API too.
    """

    def add(function: Operation) -> Operation:
        def respond(self: EKSResponse) -> ActionResult:
            cluster = self.eks_backend.describe_cluster(str(self._get_param("name")))
            return ActionResult(function(cluster, parameters(self, known), self))

        patch(EKSResponse, name, respond)
        return function

    return add


def parameters(request: EKSResponse, known: Iterable[str]) -> Parameters:
    """The parameters of a request. Raises InvalidParameterException for one that is not among those `known`."""
    request.parse_parameters(request.normalized_request)
    given = {str(name): value for name, value in request.params.items()}
    unknown = sorted(given.keys() - {*known, "name", "clusterName", "nodegroupName", "clientRequestToken"})
    if unknown:
        raise InvalidParameterException(message=f"The sandbox's EKS does not implement {', '.join(unknown)}.")
    return given


def found(some: dict[str, Any], name: str, what: str) -> Any:
    """One of a cluster's things by its name. Raises ResourceNotFoundException when it is not there."""
    if name not in some:
        raise ResourceNotFoundException(message=f"No {what} found for name: {name}.")
    return some[name]


def updated(cluster: Cluster, kind: str, values: Parameters) -> Parameters:
    """The answer to an operation that changes something: its update, over already, which DescribeUpdate then knows."""
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
    """The updates of a cluster, its node groups and its add-ons."""
    return kept(cluster, "sandbox_updates")


def kept(cluster: Cluster, name: str) -> dict[str, Any]:
    """What the sandbox keeps beside moto's own attributes of a cluster, under that name."""
    some: dict[str, Any] = cluster.__dict__.setdefault(name, {})
    return some
