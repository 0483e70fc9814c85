"""Watches the site from outside: Route 53 asks for it from many places, an alarm tells whoever subscribed."""

from urllib.parse import urlsplit

import pulumi
import pulumi_aws as aws

from contract import read

site = read(pulumi.Config().require("site"))
address = site.url.apply(urlsplit)

# Wherever the site is: Route 53 reports on its health checks in this region and in no other.
there = pulumi.ResourceOptions(provider=aws.Provider("aws", region="us-east-1"))

check = aws.route53.HealthCheck(
    "site",
    type="HTTPS",
    fqdn=address.apply(lambda parts: str(parts.hostname)),
    port=443,
    resource_path=address.apply(lambda parts: parts.path),
    request_interval=30,  # seconds, for each of Route 53's checkers; 10 costs more
    failure_threshold=3,
    opts=there,
)
topic = aws.sns.Topic("site-alarms", opts=there)
alarm = aws.cloudwatch.MetricAlarm(
    "site-down",
    alarm_description=pulumi.Output.concat(site.url, " does not answer"),
    namespace="AWS/Route53",
    metric_name="HealthCheckStatus",  # 1 while the site is well, otherwise 0
    dimensions={"HealthCheckId": check.id},
    statistic="Minimum",
    comparison_operator="LessThanThreshold",
    threshold=1,
    period=60,  # seconds: as often as Route 53 reports
    evaluation_periods=1,
    treat_missing_data="breaching",  # a check that no longer reports is no reason to sleep
    alarm_actions=[topic.arn],
    ok_actions=[topic.arn],
    opts=there,
)

pulumi.export("healthCheckId", check.id)
pulumi.export("alarmName", alarm.name)
pulumi.export("topicArn", topic.arn)
