"""Deploys a web app from its Dockerfile to HTTPS on Kubernetes in AWS: the whole program, from top to bottom."""

import pulumi

from contract import Outputs
from infra import config, drivers, providers, registry
from infra.alias import Alias
from infra.app.environment import Environment
from infra.app.pod import Pods
from infra.app.processes import Processes
from infra.app.release import Release
from infra.app.schedules import Schedules
from infra.app.web import Web
from infra.balancer import LoadBalancer
from infra.certificate import Certificate
from infra.delegation import Delegation
from infra.guards import interrupted
from infra.image import Image
from infra.namespace import Namespace
from infra.state import StateBucket
from infra.zone import Zone

settings = config.load()
interrupted.guard()
in_aws = providers.in_aws(settings=settings.aws, domain=settings.domain)
zone = Zone("zone", domain=settings.domain, settings=settings.zone, protect=settings.protect, opts=in_aws)
dns = Delegation("zone", settings=settings.delegated, zone_id=zone.id, name_servers=zone.name_servers, opts=in_aws)
in_dns = pulumi.ResourceOptions.merge(in_aws, pulumi.ResourceOptions(depends_on=[dns]))
tls = Certificate("web", hosts=settings.hosts, given=settings.certificate_arn, zone_id=dns.zone_id, opts=in_aws)
state = StateBucket("state", bucket=settings.state_bucket, protect=settings.protect, opts=in_aws)
cluster = drivers.declare(
    settings.cluster, aws=settings.aws, bucket=state.name, zone_id=dns.zone_id, protect=settings.protect, opts=in_dns
)
repository = registry.declare(settings.registry, path=settings.image.repository, protect=settings.protect, opts=in_aws)
image = Image("app", build=settings.image, repository=repository.name, login=repository.login, images=repository.images)
in_cluster = providers.in_cluster(
    kubeconfig=cluster.kubeconfig, identifier=cluster.name, needs=settings.needs, domain=settings.domain
)
namespace = Namespace("site", settings=settings.namespace, protect=settings.protect, opts=in_cluster)
in_namespace = pulumi.ResourceOptions.merge(in_cluster, pulumi.ResourceOptions(depends_on=[namespace]))
pull_secret = repository.pull_secret("regcred", opts=in_namespace)
environment = Environment("app", settings=settings.app, aws=settings.aws, protect=settings.protect, opts=in_namespace)
pods = Pods(
    settings=settings.app,
    image=image.ref,
    user=image.user,
    platform=settings.image.platform,
    pull_secret=pull_secret,
    variables=environment.variables,
)
release = Release(
    "release",
    settings=settings.app.release,
    pods=pods,
    namespace=settings.namespace.name,
    kubeconfig=cluster.kubeconfig,
    opts=in_namespace,
)
after_release = pulumi.ResourceOptions.merge(in_namespace, pulumi.ResourceOptions(depends_on=[release]))
Processes("processes", settings=settings.app.processes, pods=pods, opts=after_release)
Schedules("schedules", settings=settings.app.schedules, pods=pods, opts=after_release)
web = Web("web", settings=settings.app, pods=pods, host=settings.host, opts=after_release)
balancer = LoadBalancer(
    "web", kind=cluster.balancer, app=web.app, port=web.port, certificate_arn=tls.arn, opts=in_namespace
)
Alias("web", zone_id=zone.id, hosts=settings.hosts, target=balancer.hostname, kind=cluster.balancer, opts=in_aws)
Outputs(
    hostname=balancer.hostname,
    url=pulumi.Output.concat("https://", settings.host, "/"),
    name_servers=zone.name_servers,
    zone_id=zone.id,
    certificate_arn=tls.arn,
    state_store=pulumi.Output.concat("s3://", state.name),
    cluster_name=pulumi.Output.from_input(cluster.name),
    kubeconfig=cluster.kubeconfig,
    image=image.ref,
    namespace=namespace.name,
    pull_secret=pull_secret,
).export()
