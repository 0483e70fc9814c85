"""Read load balancers from the two APIs of Elastic Load Balancing: classic ones (elb), and network ones (elbv2)."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

NLB_IDLE = 350
"""A network load balancer's default idle timeout in seconds, for TCP and TLS listeners.
https://docs.aws.amazon.com/elasticloadbalancing/latest/network/network-load-balancers.html"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """A health check of targets."""

    port: int
    path: str
    """The path for http; empty for a check that only connects."""
    interval: int
    """Seconds between two checks."""
    rise: int
    fall: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Listener:
    """A listener: a port, and the target of its connections."""

    port: int
    protocol: str
    """HTTP or HTTPS, where the balancer handles headers; TCP, SSL or TLS, where it passes bytes."""
    certificate: str
    """The certificate's ARN; empty for a protocol without TLS."""
    target_port: int
    instances: tuple[str, ...]
    """The ids of the target instances."""
    check: Check

    @property
    def http(self) -> bool:
        """Whether the balancer handles http."""
        return self.protocol in ("HTTP", "HTTPS")

    @property
    def tls(self) -> bool:
        """Whether the balancer terminates TLS."""
        return self.protocol in ("HTTPS", "SSL", "TLS")


@dataclass(frozen=True, slots=True, kw_only=True)
class Balancer:
    """A load balancer of either kind."""

    name: str
    dns_name: str
    subnet: str
    """The id of its first subnet."""
    idle: int
    """Seconds after which an idle connection is closed."""
    listeners: tuple[Listener, ...]


def classic(elb: Any) -> Iterator[Balancer]:
    """Yield the classic load balancers."""
    for each in elb.describe_load_balancers()["LoadBalancerDescriptions"]:
        name, check = each["LoadBalancerName"], each["HealthCheck"]
        attributes = elb.describe_load_balancer_attributes(LoadBalancerName=name)["LoadBalancerAttributes"]
        protocol, _, target = check["Target"].partition(":")
        port, slash, path = target.partition("/")
        look = Check(
            port=int(port),
            path=f"{slash}{path}" if protocol == "HTTP" else "",
            interval=check["Interval"],
            rise=check["HealthyThreshold"],
            fall=check["UnhealthyThreshold"],
        )
        yield Balancer(
            name=name,
            dns_name=each["DNSName"],
            subnet=each["Subnets"][0],
            idle=attributes["ConnectionSettings"]["IdleTimeout"],
            listeners=tuple(
                Listener(
                    port=listener["LoadBalancerPort"],
                    protocol=listener["Protocol"],
                    certificate=listener.get("SSLCertificateId", ""),
                    target_port=listener["InstancePort"],
                    instances=tuple(instance["InstanceId"] for instance in each["Instances"]),
                    check=look,
                )
                for listener in (description["Listener"] for description in each["ListenerDescriptions"])
            ),
        )


def network(elbv2: Any) -> Iterator[Balancer]:
    """Yield the network load balancers, whose targets are instances."""
    for each in elbv2.describe_load_balancers()["LoadBalancers"]:
        if each["Type"] == "network":
            yield Balancer(
                name=each["LoadBalancerName"],
                dns_name=each["DNSName"],
                subnet=each["AvailabilityZones"][0]["SubnetId"],
                idle=NLB_IDLE,
                listeners=tuple(_listeners(elbv2, each["LoadBalancerArn"])),
            )


def _listeners(elbv2: Any, arn: str) -> Iterator[Listener]:
    for listener in elbv2.describe_listeners(LoadBalancerArn=arn)["Listeners"]:
        group_arn = listener["DefaultActions"][0]["TargetGroupArn"]
        (group,) = elbv2.describe_target_groups(TargetGroupArns=[group_arn])["TargetGroups"]
        health = elbv2.describe_target_health(TargetGroupArn=group_arn)["TargetHealthDescriptions"]
        port = group["Port"]
        checked = group["HealthCheckPort"]
        yield Listener(
            port=listener["Port"],
            protocol=listener["Protocol"],
            certificate=next((each["CertificateArn"] for each in listener.get("Certificates", ())), ""),
            target_port=port,
            instances=tuple(each["Target"]["Id"] for each in health),
            check=Check(
                port=port if checked == "traffic-port" else int(checked),
                path=group.get("HealthCheckPath", "/") if group["HealthCheckProtocol"] == "HTTP" else "",
                interval=group["HealthCheckIntervalSeconds"],
                rise=group["HealthyThresholdCount"],
                fall=group["UnhealthyThresholdCount"],
            ),
        )
