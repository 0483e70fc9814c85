"""Route 53's health checks."""

import uuid
from typing import Any, ClassVar

from sandbox.plugins.aws.client import doing, unless
from sandbox.plugins.aws.tags import Tagged, from_aws, to_aws
from sandbox.plugins.resource import Call, InvalidInputError, PartialFailureError, PluginError
from sandbox.plugins.values import UNKNOWN, Properties

NAMES = {
    "type": "Type",
    "fqdn": "FullyQualifiedDomainName",
    "port": "Port",
    "resourcePath": "ResourcePath",
    "requestInterval": "RequestInterval",
    "failureThreshold": "FailureThreshold",
}
"""Inputs by name, each with what Route 53 calls it."""
KINDS = ("HTTP", "HTTPS", "TCP")
"""The types that look at one endpoint by its name. The others compare contents, or watch other checks."""
FAILURES = 3
"""Failures in a row before an endpoint counts as down when the program does not say, as Route 53 has it."""
INTERVALS = (10, 30)
"""Seconds between two requests of one of Route 53's checkers; there are no others."""


class HealthCheck(Tagged):
    """A check of one endpoint, which Route 53 looks up by its name; its id is the check's."""

    token = "aws:route53/healthCheck:HealthCheck"
    inputs: ClassVar = {
        "type": str,
        "fqdn": str,
        "port": int,
        "resourcePath": str,
        "requestInterval": int,
        "failureThreshold": int,
        "tags": dict,
    }
    required = frozenset({"type", "fqdn", "port", "requestInterval"})
    computed = frozenset({"arn", "tagsAll"})
    replace_on = frozenset({"type", "requestInterval"})

    def check(self, inputs: Properties, *, old: Properties, call: Call) -> Properties:
        """Refuse what Route 53 would, and fill in its default."""
        if inputs["type"] not in (*KINDS, UNKNOWN):
            raise InvalidInputError("type", f"this stand-in implements only {', '.join(KINDS)}")
        if inputs["requestInterval"] not in (*INTERVALS, UNKNOWN):
            raise InvalidInputError("requestInterval", "Route 53 asks every 10 or every 30 seconds")
        return {"failureThreshold": FAILURES} | inputs

    def create(self, inputs: Properties, *, call: Call) -> tuple[str, Properties]:
        """Make the check and tag it."""
        what = f"creating Route 53 Health Check ({inputs['fqdn']})"
        with doing(what):
            made = self.aws.route53.create_health_check(
                CallerReference=str(uuid.uuid4()), HealthCheckConfig=_to_aws(inputs)
            )
        id = str(made["HealthCheck"]["Id"])
        try:
            self._tag(id, add=self.merged(inputs), remove=[])
            return id, self._outputs(id, state=inputs)
        except PluginError as error:
            raise PartialFailureError(str(error), id=id, outputs=inputs) from error

    def read(self, id: str, *, state: Properties, call: Call) -> Properties | None:
        """Look the check up."""
        with unless("NoSuchHealthCheck"):
            return self._outputs(id, state=state)
        return None

    def update(self, id: str, *, state: Properties, inputs: Properties, call: Call) -> Properties:
        """Change what is asked for and the tags; type and interval stay as they were made."""
        fixed = [NAMES[name] for name in self.replace_on]
        config = {name: value for name, value in _to_aws(inputs).items() if name not in fixed}
        # A path that was taken out has to be said: Route 53 leaves alone whatever is not.
        with doing(f"updating Route 53 Health Check ({id})"):
            self.aws.route53.update_health_check(HealthCheckId=id, **({"ResourcePath": ""} | config))
        wanted = self.merged(inputs)
        self._tag(id, add=wanted, remove=[key for key in state.get("tagsAll") or {} if key not in wanted])
        return self._outputs(id, state=inputs)

    def delete(self, id: str, *, state: Properties, call: Call) -> None:
        """Delete the check."""
        with unless("NoSuchHealthCheck"), doing(f"deleting Route 53 Health Check ({id})"):
            self.aws.route53.delete_health_check(HealthCheckId=id)

    def _outputs(self, id: str, *, state: Properties) -> Properties:
        with doing(f"reading Route 53 Health Check ({id})"):
            found = self.aws.route53.get_health_check(HealthCheckId=id)["HealthCheck"]
            tags = self.aws.route53.list_tags_for_resource(ResourceType="healthcheck", ResourceId=id)
        config = found["HealthCheckConfig"]
        return {
            **{name: config[aws] for name, aws in NAMES.items() if config.get(aws) not in (None, "")},
            "arn": f"arn:aws:route53:::healthcheck/{id}",
            **self.seen(from_aws(tags["ResourceTagSet"]["Tags"]), state),
        }

    def _tag(self, id: str, *, add: dict[str, str], remove: list[str]) -> None:
        changes: dict[str, Any] = {"AddTags": to_aws(add)} if add else {}
        changes |= {"RemoveTagKeys": remove} if remove else {}
        if changes:
            with doing(f"tagging Route 53 Health Check ({id})"):
                self.aws.route53.change_tags_for_resource(ResourceType="healthcheck", ResourceId=id, **changes)


def _to_aws(inputs: Properties) -> dict[str, Any]:
    return {NAMES[name]: value for name, value in inputs.items() if name in NAMES and value is not None}
