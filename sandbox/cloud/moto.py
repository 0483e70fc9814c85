"""The AWS API: moto's server, with the gaps filled that the cloud controller and the balancer fall into.

Each function below changes one behaviour of moto 5.2.5 to that of AWS. The account starts with what a cluster on EC2
has: a network and one instance, this machine, under the same ids at every start, so that a node that outlives a
restart of moto is still known; and with a zone that the world knows, for stacks to be delegated to from.
"""

import ipaddress
import itertools
import os
from base64 import b64encode
from typing import Any

import boto3
import dns.exception
import dns.resolver
import trustme
from moto import mock_aws
from moto.acm.models import AWSCertificateManagerBackend, CertBundle
from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.core.responses import ActionResult
from moto.ecr.responses import ECRResponse
from moto.elb.models import ELBBackend, FakeHealthCheck, FakeListener, LoadBalancer
from moto.moto_api._internal import mock_random
from moto.route53.models import DelegationSet, FakeZone, RecordSet
from moto.server import main as serve

from sandbox import layout as net
from sandbox import pki
from sandbox.cloud import calls, ecr, eks, identity, zones
from sandbox.cloud.change import change
from sandbox.layout import Layout, here
from sandbox.services import aws_environment


def _issue_from_authority(layout: Layout) -> None:
    """ACM signs with the sandbox's authority, asks DNS for its validation record, and serves balancers the key."""
    folder = layout.certificates
    folder.mkdir(mode=0o700, exist_ok=True)
    ca = pki.authority(layout)
    resolver = dns.resolver.Resolver(configure=False)
    resolver.nameservers = [net.NODE_ADDRESS]
    resolver.lifetime = 2.0

    def generate(
        domain_name: str,
        account_id: str,
        region: str,
        sans: list[str] | None = None,
        cert_authority_arn: str | None = None,
    ) -> CertBundle:
        names = sorted({domain_name, *(sans or [])})
        leaf = ca.issue_cert(*names, common_name=domain_name, key_type=trustme.KeyType.RSA)
        bundle = CertBundle(
            account_id,
            leaf.cert_chain_pems[0].bytes(),
            leaf.private_key_pem.bytes(),
            region=region,
            cert_type="AMAZON_ISSUED",
            cert_status="PENDING_VALIDATION",
        )
        bundle.chain = ca.cert_pem.bytes()
        return bundle

    def check(self: CertBundle) -> None:
        if self.status != "PENDING_VALIDATION":
            return
        options = self.describe()["Certificate"]["DomainValidationOptions"]
        for record in (option["ResourceRecord"] for option in options):
            try:
                answer = resolver.resolve(record["Name"], record["Type"])
            except dns.exception.DNSException:
                return  # not there yet: ACM goes on asking, and so does whoever describes the certificate
            if record["Value"] not in [str(data) for data in answer]:
                return
        (folder / f"{self.arn.rpartition('/')[2]}.pem").write_bytes(self.cert + self.key)
        self.status = "ISSUED"

    change(CertBundle, "generate_cert", generate)
    change(CertBundle, "check", check)
    delete = AWSCertificateManagerBackend.delete_certificate

    def delete_certificate(self: AWSCertificateManagerBackend, arn: str) -> None:
        delete(self, arn)
        (folder / f"{arn.rpartition('/')[2]}.pem").unlink(missing_ok=True)

    change(AWSCertificateManagerBackend, "delete_certificate", delete_certificate)


def _balancers_as_aws_makes_them() -> None:
    """A classic ELB is born with a health check; a listener keeps its InstanceProtocol; several go in one call."""
    create = LoadBalancer.__init__

    def init(self: LoadBalancer, *args: Any, **kwargs: Any) -> None:
        create(self, *args, **kwargs)
        port = self.listeners[0].instance_port
        # https://docs.aws.amazon.com/elasticloadbalancing/latest/classic/elb-healthchecks.html (defaults)
        self.health_check = FakeHealthCheck("5", "10", "2", "30", f"TCP:{port}")
        _keep_instance_protocols(self, kwargs["ports"])

    change(LoadBalancer, "__init__", init)
    change(FakeListener, "instance_protocol", "HTTP")  # a property there; each listener's own value covers it
    add = ELBBackend.create_load_balancer_listeners

    def create_load_balancer_listeners(self: ELBBackend, name: str, ports: list[dict[str, Any]]) -> Any:
        balancer = add(self, name, ports)
        if balancer is not None:
            _keep_instance_protocols(balancer, ports)
        return balancer

    change(ELBBackend, "create_load_balancer_listeners", create_load_balancer_listeners)

    def delete_load_balancer_listeners(self: ELBBackend, name: str, ports: list[int]) -> Any:
        balancer = self.get_load_balancer(name)
        # moto keeps whatever differs from any one of the ports: of two to delete, it would keep both.
        balancer.listeners = [each for each in balancer.listeners if int(each.load_balancer_port) not in ports]
        return balancer

    change(ELBBackend, "delete_load_balancer_listeners", delete_load_balancer_listeners)


def _keep_instance_protocols(balancer: LoadBalancer, ports: list[dict[str, Any]]) -> None:
    asked = {str(port["LoadBalancerPort"]): port.get("InstanceProtocol") for port in ports}
    for listener in balancer.listeners:
        wanted = asked.get(str(listener.load_balancer_port))
        if wanted:
            change(listener, "instance_protocol", wanted.upper())


def _passwords_of_ecr_end(layout: Layout) -> None:
    """ECR gives another password at each call, which sandbox.cloud.ecr takes until it ends: moto's is always one."""

    def get_authorization_token(self: ECRResponse) -> ActionResult:
        given = []
        for registry in self._get_param("registryIds") or [self.current_account]:
            password, expires = ecr.new_password(layout)
            given.append(
                {
                    "authorizationToken": b64encode(f"{ecr.USER}:{password}".encode()).decode(),
                    "expiresAt": expires,
                    "proxyEndpoint": f"https://{registry}{net.ECR_DOMAIN}",
                }
            )
        return ActionResult({"authorizationData": given})

    change(ECRResponse, "get_authorization_token", get_authorization_token)


def _records_can_be_made_again() -> None:
    """A record that was deleted can be created as it was: moto finds it in its journal and says that it exists."""
    delete = FakeZone.delete_rrset

    def delete_rrset(self: FakeZone, rrset: dict[str, Any]) -> None:
        delete(self, rrset)
        gone = (rrset["Name"].strip("."), rrset["Type"])
        self.rr_changes[:] = [
            each
            for each in self.rr_changes
            if (each["ResourceRecordSet"]["Name"], each["ResourceRecordSet"]["Type"]) != gone
        ]

    change(FakeZone, "delete_rrset", delete_rrset)


def _zones_as_route53_makes_them() -> None:
    """Every zone has name servers of its own, where moto's are the same four for all, and an SOA record of one text."""
    create, numbers = DelegationSet.__init__, itertools.cycle(range(zones.SETS))

    def init(
        self: DelegationSet, caller_reference: str, name_servers: list[str] | None, delegation_set_id: str | None
    ) -> None:
        create(self, caller_reference, name_servers or zones.delegation_set(next(numbers)), delegation_set_id)

    change(DelegationSet, "__init__", init)
    add = FakeZone.add_rrset

    def add_rrset(self: FakeZone, record_set: dict[str, Any]) -> RecordSet:
        if record_set["Type"] == "SOA":
            # moto gives it in the form of a request, as an object inside of an object.
            record_set = {**record_set, "ResourceRecords": [each["Value"] for each in record_set["ResourceRecords"]]}
        return add(self, record_set)

    change(FakeZone, "add_rrset", add_rrset)


def _furnish() -> None:
    """Make what an account has before the first stack, through the API like anybody else.

    That is the network and the instance that the node believes to be, and the zone above those of the stacks.
    The one user is whoever has the sandbox's credentials.
    """
    mock_random.seed(net.CLUSTER)
    given = aws_environment()
    identity.user_with_key(
        DEFAULT_ACCOUNT_ID,
        name=net.AWS_USER,
        key_id=given["AWS_ACCESS_KEY_ID"],
        secret=given["AWS_SECRET_ACCESS_KEY"],
    )
    ec2 = boto3.client("ec2", region_name=net.REGION)
    tags = [
        {"Key": f"kubernetes.io/cluster/{net.CLUSTER}", "Value": "owned"},
        {"Key": "Name", "Value": net.CLUSTER},
    ]

    def tagged(kind: str, *more: dict[str, str]) -> list[dict[str, Any]]:
        return [{"ResourceType": kind, "Tags": [*tags, *more]}]

    vpc = ec2.create_vpc(CidrBlock=net.NETWORK, TagSpecifications=tagged("vpc"))["Vpc"]["VpcId"]
    gateway = ec2.create_internet_gateway(TagSpecifications=tagged("internet-gateway"))["InternetGateway"]
    ec2.attach_internet_gateway(InternetGatewayId=gateway["InternetGatewayId"], VpcId=vpc)
    subnet = ec2.create_subnet(
        VpcId=vpc,
        CidrBlock=net.NETWORK,
        AvailabilityZone=net.ZONE,
        TagSpecifications=tagged("subnet", {"Key": "kubernetes.io/role/elb", "Value": "1"}),
    )["Subnet"]["SubnetId"]
    table = ec2.create_route_table(VpcId=vpc, TagSpecifications=tagged("route-table"))["RouteTable"]["RouteTableId"]
    ec2.create_route(RouteTableId=table, DestinationCidrBlock="0.0.0.0/0", GatewayId=gateway["InternetGatewayId"])
    ec2.associate_route_table(RouteTableId=table, SubnetId=subnet)
    group = ec2.create_security_group(
        GroupName=f"nodes.{net.CLUSTER}",
        Description="nodes",
        VpcId=vpc,
        TagSpecifications=tagged("security-group"),
    )["GroupId"]
    image = ec2.describe_images(Owners=["amazon"])["Images"][0]["ImageId"]
    ec2.run_instances(
        ImageId=image,
        InstanceType="t3.medium",
        MinCount=1,
        MaxCount=1,
        SubnetId=subnet,
        SecurityGroupIds=[group],
        PrivateIpAddress=str(ipaddress.IPv4Address(net.NODE_ADDRESS)),
        TagSpecifications=tagged("instance"),
    )
    boto3.client("route53", region_name=net.REGION).create_hosted_zone(
        Name=net.PARENT_ZONE, CallerReference=net.WORLD, HostedZoneConfig={"Comment": "The zone above that of a stack"}
    )
    mock_random.seed(os.urandom(16))  # what is made from here on must not repeat the ids of an earlier life


def main() -> None:
    """Serve until ended."""
    _issue_from_authority(here())
    _balancers_as_aws_makes_them()
    _records_can_be_made_again()
    identity.callers_are_told_apart()
    eks.as_aws_does_it(here())
    _zones_as_route53_makes_them()
    _passwords_of_ecr_end(here())
    inside = mock_aws()  # the server's own backends, reached in process before the first request can arrive
    inside.start()
    _furnish()
    inside.stop(remove_data=False)
    identity.serve_sts(here())
    calls.recorded(here().aws_calls)
    serve(["--host", net.NODE_ADDRESS, "--port", net.AWS_ENDPOINT.rpartition(":")[2]])


if __name__ == "__main__":
    main()
