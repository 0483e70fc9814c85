"""Watch the site from outside: Route 53 requests it from many places, and an alarm notifies subscribers."""

from urllib.parse import urlsplit

import pulumi
import pulumi_aws as aws

from contract import read

site = read(pulumi.Config().require("site"))
address = site.url.apply(urlsplit)

# In any case this region: Route 53 reports on its health checks only here.
there = pulumi.ResourceOptions(provider=aws.Provider("aws", region="us-east-1"))

check = aws.route53.HealthCheck(
    "site",
    type="HTTPS",
    fqdn=address.apply(lambda parts: str(parts.hostname)),
    port=443,
    resource_path=address.apply(lambda parts: parts.path),
    request_interval=30,  # seconds, per checker of Route 53's; 10 costs more
    failure_threshold=3,
    opts=there,
)
topic = aws.sns.Topic("site-alarms", opts=there)
alarm = aws.cloudwatch.MetricAlarm(
    "site-down",
    alarm_description=pulumi.Output.concat(site.url, " does not answer"),
    namespace="AWS/Route53",
    metric_name="HealthCheckStatus",  # 1 while the site is healthy, otherwise 0
    dimensions={"HealthCheckId": check.id},
    statistic="Minimum",
    comparison_operator="LessThanThreshold",
    threshold=1,
    period=60,  # seconds: as often as Route 53 reports
    evaluation_periods=1,
    treat_missing_data="breaching",  # a health check that stops reporting raises the alarm too
    alarm_actions=[topic.arn],
    ok_actions=[topic.arn],
    opts=there,
)

pulumi.export("healthCheckId", check.id)
pulumi.export("alarmName", alarm.name)
pulumi.export("topicArn", topic.arn)
