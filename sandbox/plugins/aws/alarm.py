"""CloudWatch's alarms on one metric."""

from typing import Any, ClassVar

from sandbox.plugins.aws.client import doing, unless
from sandbox.plugins.aws.tags import Tagged, from_aws, to_aws
from sandbox.plugins.resource import Call, InvalidInputError, PluginError
from sandbox.plugins.values import Properties, adjusted, is_known

SUFFIX = 7
"""Hexadecimal digits after a generated name, as the official provider."""
NAMES = {
    "alarmDescription": "AlarmDescription",
    "namespace": "Namespace",
    "metricName": "MetricName",
    "statistic": "Statistic",
    "comparisonOperator": "ComparisonOperator",
    "threshold": "Threshold",
    "period": "Period",
    "evaluationPeriods": "EvaluationPeriods",
    "treatMissingData": "TreatMissingData",
    "alarmActions": "AlarmActions",
    "okActions": "OKActions",
}
"""Inputs by name, each with what CloudWatch calls it; the dimensions and the tags are spelled otherwise."""


class MetricAlarm(Tagged):
    """An alarm; its id is its name."""

    token = "aws:cloudwatch/metricAlarm:MetricAlarm"
    inputs: ClassVar = {
        "name": str,
        "alarmDescription": str,
        "namespace": str,
        "metricName": str,
        "dimensions": dict,
        "statistic": str,
        "comparisonOperator": str,
        "threshold": float,
        "period": int,
        "evaluationPeriods": int,
        "treatMissingData": str,
        "alarmActions": [str],
        "okActions": [str],
        "tags": dict,
    }
    required = frozenset({"namespace", "metricName", "statistic", "comparisonOperator", "threshold", "period"}) | {
        "evaluationPeriods"
    }
    computed = frozenset({"arn", "tagsAll"})
    replace_on = frozenset({"name"})

    def check(self, inputs: Properties, *, old: Properties, call: Call) -> Properties:
        """Make a name up for an alarm without one, and fill in CloudWatch's default."""
        period = inputs["period"]
        if is_known(period) and period not in (10, 30) and (period < 60 or period % 60):
            raise InvalidInputError("period", "CloudWatch takes 10, 30 or a multiple of 60 seconds")
        made_up = old.get("name") or f"{call.name}-{call.seed.hex()[:SUFFIX]}"
        return {"name": made_up, "treatMissingData": "missing"} | inputs

    def comparable(self, inputs: Properties) -> Properties:
        """Take the actions as sets."""
        return adjusted(inputs, alarmActions=sorted, okActions=sorted)

    def create(self, inputs: Properties, *, call: Call) -> tuple[str, Properties]:
        """Write the alarm with its tags; as CloudWatch does it, one of the same name is taken over."""
        tags = self.merged(inputs)
        with doing(f"creating CloudWatch Metric Alarm ({inputs['name']})"):
            self.aws.cloudwatch.put_metric_alarm(**_to_aws(inputs), **({"Tags": to_aws(tags)} if tags else {}))
        return inputs["name"], self._written(inputs["name"], state=inputs)

    def read(self, id: str, *, state: Properties, call: Call) -> Properties | None:
        """Look the alarm up."""
        return self._outputs(id, state=state)

    def update(self, id: str, *, state: Properties, inputs: Properties, call: Call) -> Properties:
        """Write the alarm anew, and its tags, which that leaves alone."""
        with doing(f"updating CloudWatch Metric Alarm ({id})"):
            self.aws.cloudwatch.put_metric_alarm(**_to_aws(inputs))
        wanted = self.merged(inputs)
        gone = [key for key in state.get("tagsAll") or {} if key not in wanted]
        with doing(f"tagging CloudWatch Metric Alarm ({id})"):
            if gone:
                self.aws.cloudwatch.untag_resource(ResourceARN=state["arn"], TagKeys=gone)
            if wanted:
                self.aws.cloudwatch.tag_resource(ResourceARN=state["arn"], Tags=to_aws(wanted))
        return self._written(id, state=inputs)

    def delete(self, id: str, *, state: Properties, call: Call) -> None:
        """Delete the alarm."""
        with unless("ResourceNotFound"), doing(f"deleting CloudWatch Metric Alarm ({id})"):
            self.aws.cloudwatch.delete_alarms(AlarmNames=[id])

    def _written(self, name: str, *, state: Properties) -> Properties:
        outputs = self._outputs(name, state=state)
        if outputs is None:
            raise PluginError(f"CloudWatch Metric Alarm ({name}) was written and is not there, run it again")
        return outputs

    def _outputs(self, name: str, *, state: Properties) -> Properties | None:
        with doing(f"reading CloudWatch Metric Alarm ({name})"):
            found = self.aws.cloudwatch.describe_alarms(AlarmNames=[name])["MetricAlarms"]
            if not found:
                return None
            alarm = found[0]
            tags = self.aws.cloudwatch.list_tags_for_resource(ResourceARN=alarm["AlarmArn"])["Tags"]
        return {
            "name": name,
            **{key: alarm[aws] for key, aws in NAMES.items() if aws in alarm},
            "dimensions": {each["Name"]: each["Value"] for each in alarm.get("Dimensions", [])},
            "arn": alarm["AlarmArn"],
            **self.seen(from_aws(tags), state),
        }


def _to_aws(inputs: Properties) -> dict[str, Any]:
    dimensions = [{"Name": name, "Value": value} for name, value in (inputs.get("dimensions") or {}).items()]
    given = {NAMES[name]: value for name, value in inputs.items() if name in NAMES and value is not None}
    return {"AlarmName": inputs["name"], "Dimensions": dimensions} | given
