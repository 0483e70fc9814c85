"""The stand-in for pulumi-resource-aws: health checks, topics, alarms, against a moto server on loopback."""

from typing import Any

import grpc
import pytest
from moto.core.models import DEFAULT_ACCOUNT_ID

from sandbox.plugins.aws.plugin import plugin
from tests.fast.plugin_engine import UNKNOWN, Engine, RefusedError, engine
from tests.loopback.aws_provider import settled

HEALTH_CHECK = "aws:route53/healthCheck:HealthCheck"
TOPIC = "aws:sns/topic:Topic"
ALARM = "aws:cloudwatch/metricAlarm:MetricAlarm"

SITE = {
    "type": "HTTPS",
    "fqdn": "www.example.test",
    "port": 443,
    "resourcePath": "/readyz",
    "requestInterval": 30,
}
DOWN = {
    "name": "down",
    "namespace": "AWS/Route53",
    "metricName": "HealthCheckStatus",
    "dimensions": {"HealthCheckId": "check"},
    "statistic": "Minimum",
    "comparisonOperator": "LessThanThreshold",
    "threshold": 1,
    "period": 60,
    "evaluationPeriods": 1,
    "treatMissingData": "breaching",
    "alarmActions": [
        f"arn:aws:sns:us-east-1:{DEFAULT_ACCOUNT_ID}:one",
        f"arn:aws:sns:us-east-1:{DEFAULT_ACCOUNT_ID}:two",
    ],
}


def test_a_health_check_asks_what_the_program_says(aws: Engine, by_hand: Any) -> None:
    made = aws.create(HEALTH_CHECK, SITE)
    [found] = by_hand("route53").list_health_checks()["HealthChecks"]
    assert found["Id"] == made.id
    asked = found["HealthCheckConfig"]
    assert (asked["Type"], asked["FullyQualifiedDomainName"], asked["Port"]) == (
        "HTTPS",
        "www.example.test",
        443,
    )
    assert (asked["ResourcePath"], asked["RequestInterval"], asked["FailureThreshold"]) == ("/readyz", 30, 3)
    assert made.state["tagsAll"] == {"app": "ejemplo"}
    assert aws.refreshed(made) == made
    aws.delete(made)
    assert aws.refresh(made) is None
    aws.delete(made)


def test_a_health_check_is_mended_in_place_and_replaced_for_another_type_or_interval(aws: Engine, by_hand: Any) -> None:
    made = aws.create(HEALTH_CHECK, SITE)
    by_hand("route53").update_health_check(HealthCheckId=made.id, FullyQualifiedDomainName="elsewhere.test", Port=8443)
    drifted = aws.refreshed(made)
    assert aws.changes(drifted, SITE) == {"fqdn": "UPDATE", "port": "UPDATE"}
    assert aws.refreshed(aws.update(drifted, SITE)).inputs == made.inputs
    assert aws.changes(made, SITE | {"requestInterval": 10}) == {"requestInterval": "UPDATE_REPLACE"}
    assert aws.changes(made, SITE | {"type": "HTTP"}) == {"type": "UPDATE_REPLACE"}


@pytest.mark.parametrize("wrong", [{"type": "CALCULATED"}, {"requestInterval": 20}, {"searchString": "ok"}])
def test_a_health_check_that_route_53_or_the_stand_in_does_not_have_is_refused_by_name(
    aws: Engine, wrong: dict[str, Any]
) -> None:
    with pytest.raises(RefusedError, match=f"^{next(iter(wrong))}: "):
        aws.check(HEALTH_CHECK, SITE | wrong)


def test_a_topic_without_a_name_gets_one_and_keeps_it(aws: Engine) -> None:
    made = aws.create(TOPIC, {})
    assert made.id == made.state["arn"]
    assert made.state["name"].startswith("thing-")
    assert made.state["tagsAll"] == {"app": "ejemplo"}
    assert aws.changes(made, {}) == {}
    assert aws.refreshed(made) == made


def test_a_topic_is_mended_in_place_and_goes(aws: Engine, by_hand: Any) -> None:
    wanted = {"name": "alarms", "displayName": "Alarms", "tags": {"own": "yes"}}
    made = aws.create(TOPIC, wanted)
    by_hand("sns").set_topic_attributes(TopicArn=made.id, AttributeName="DisplayName", AttributeValue="by hand")
    by_hand("sns").tag_resource(ResourceArn=made.id, Tags=[{"Key": "stray", "Value": "1"}])
    drifted = aws.refreshed(made)
    assert aws.changes(drifted, wanted) == {"displayName": "UPDATE", "tags.stray": "DELETE"}
    assert aws.refreshed(aws.update(drifted, wanted)) == made
    assert aws.changes(made, wanted | {"name": "others"}) == {"name": "UPDATE_REPLACE"}
    aws.delete(made)
    assert aws.refresh(made) is None
    assert by_hand("sns").list_topics()["Topics"] == []
    aws.delete(made)


def test_an_alarm_watches_and_tells_what_the_program_says(aws: Engine, by_hand: Any) -> None:
    made = aws.create(ALARM, DOWN)
    [found] = by_hand("cloudwatch").describe_alarms()["MetricAlarms"]
    assert found["AlarmName"] == made.id == "down"
    assert found["AlarmActions"] == DOWN["alarmActions"]
    assert found["Dimensions"] == [{"Name": "HealthCheckId", "Value": "check"}]
    assert (found["Threshold"], found["ComparisonOperator"]) == (1.0, "LessThanThreshold")
    assert found["TreatMissingData"] == "breaching"
    assert made.state["tagsAll"] == {"app": "ejemplo"}
    assert aws.refreshed(made) == made
    assert aws.changes(made, DOWN | {"alarmActions": DOWN["alarmActions"][::-1]}) == {}  # type: ignore[index]


def test_an_alarm_is_mended_in_place_and_goes(aws: Engine, by_hand: Any) -> None:
    wanted = DOWN | {"tags": {"own": "yes"}}
    made = aws.create(ALARM, wanted)
    live = by_hand("cloudwatch").describe_alarms()["MetricAlarms"][0]
    keys = (
        "AlarmName",
        "Namespace",
        "MetricName",
        "Statistic",
        "ComparisonOperator",
        "Period",
        "EvaluationPeriods",
    )
    kept = {key: live[key] for key in keys}
    by_hand("cloudwatch").put_metric_alarm(**kept, Threshold=0.5, Dimensions=[], AlarmActions=[])
    by_hand("cloudwatch").untag_resource(ResourceARN=live["AlarmArn"], TagKeys=["app"])
    drifted = aws.refreshed(made)
    assert {"threshold", "dimensions.HealthCheckId", "alarmActions[0]"} <= aws.changes(drifted, wanted).keys()
    assert aws.refreshed(aws.update(drifted, wanted)) == made
    assert aws.changes(made, wanted | {"name": "other"}) == {"name": "UPDATE_REPLACE"}
    aws.delete(made)
    assert aws.refresh(made) is None
    aws.delete(made)


@pytest.mark.parametrize("wrong", [{"period": 45}, {"threshold": "one"}, {"unit": "None"}])
def test_an_alarm_that_cloudwatch_or_the_stand_in_does_not_have_is_refused_by_name(
    aws: Engine, wrong: dict[str, Any]
) -> None:
    with pytest.raises(RefusedError, match=f"^{next(iter(wrong))}: "):
        aws.check(ALARM, DOWN | wrong)


def test_an_alarm_is_foreseen_before_what_it_watches_exists() -> None:
    with engine(plugin(), **settled("http://127.0.0.1:1")) as speaking:
        unknown = {"dimensions": {"HealthCheckId": UNKNOWN}, "alarmActions": [UNKNOWN]}
        assert speaking.preview(ALARM, DOWN | unknown)["arn"] == UNKNOWN
        assert speaking.preview(HEALTH_CHECK, SITE | {"fqdn": UNKNOWN})["arn"] == UNKNOWN


def test_a_failure_names_the_alarm_and_says_why(aws: Engine) -> None:
    with pytest.raises(grpc.RpcError, match=r"creating SNS Topic \(not a name\): InvalidParameter"):
        aws.create(TOPIC, {"name": "not a name"})
