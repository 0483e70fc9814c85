"""A Django app from its Dockerfile to HTTPS on Kubernetes in AWS: read from top to bottom, the diagram."""

import pulumi

from contract import Outputs
from infra import config, drivers, providers, registry
from infra.alias import Alias
from infra.balancer import LoadBalancer
from infra.certificate import Certificate
from infra.delegation import Delegation
from infra.image import Image
from infra.key import SecretKey
from infra.state import StateBucket
from infra.workload import Workload
from infra.zone import Zone

settings = config.load()
in_aws = pulumi.ResourceOptions(provider=providers.aws_provider("aws", settings=settings.aws))
zone = Zone("zone", domain=settings.domain, protect=settings.protect, opts=in_aws)
found = Delegation("zone", settings=settings.delegated, zone_id=zone.id, name_servers=zone.name_servers, opts=in_aws)
in_world = pulumi.ResourceOptions.merge(in_aws, pulumi.ResourceOptions(depends_on=[found]))
tls = Certificate("web", host=settings.host, given=settings.certificate_arn, zone_id=found.zone_id, opts=in_aws)
state = StateBucket("state", domain=settings.domain, protect=settings.protect, opts=in_aws)
cluster = drivers.declare(settings.cluster, aws=settings.aws, bucket=state.name, zone_id=found.zone_id, opts=in_world)
repository = registry.declare(settings.registry, path=settings.image.repository, protect=settings.protect, opts=in_aws)
image = Image("app", build=settings.image, repository=repository.name, login=repository.login, tags=repository.tags)
in_cluster = providers.in_cluster(kubeconfig=cluster.kubeconfig, identifier=cluster.name, needs=settings.needs)
pull_secret = repository.pull_secret("regcred", opts=in_cluster)
key = SecretKey("ejemplo-django-key", given=settings.app.secret_key, opts=in_cluster)
workload = Workload(
    "web",
    app="ejemplo-django",
    image=image.ref,
    version=settings.image.version,
    host=settings.host,
    settings=settings.app,
    pull_secret=pull_secret,
    secret_key=key.name,
    balancer=cluster.balancer,
    platform=settings.image.platform,
    opts=in_cluster,
)
balancer = LoadBalancer(
    "web", kind=cluster.balancer, app=workload.app, port=workload.port, certificate_arn=tls.arn, opts=in_cluster
)
Alias("web", zone_id=zone.id, host=settings.host, target=balancer.hostname, kind=cluster.balancer, opts=in_aws)
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
    namespace=pulumi.Output.from_input(settings.namespace),
    pull_secret=pull_secret,
).export()
