"""Another app beside the site: in its cluster and zone, under its own name, made of the same components."""

import pulumi
import pulumi_kubernetes as kubernetes

from contract import read
from infra import providers
from infra.alias import Alias
from infra.balancer import LoadBalancer
from infra.certificate import Certificate
from infra.key import SecretKey
from infra.settings.app import App
from infra.settings.aws import Aws
from infra.workload import Workload

own = pulumi.Config()
host = own.require("host")
site = read(own.require("site"))

amazon = Aws(region=own.require("region"), tags={"project": "second-app"})
in_aws = pulumi.ResourceOptions(provider=providers.aws_provider("aws", settings=amazon))
cluster = kubernetes.Provider(
    "cluster",
    kubeconfig=site.kubeconfig,
    # Without it, another kubeconfig of the same cluster would replace all that is in it.
    cluster_identifier=site.cluster_name,
    # The site's, because a pod finds the registry's login only in its own namespace.
    namespace=site.namespace,
)
in_cluster = pulumi.ResourceOptions(provider=cluster)

tls = Certificate("second", host=host, zone_id=site.zone_id, opts=in_aws)
key = SecretKey("second-app-key", given=None, opts=in_cluster)
workload = Workload(
    "second",
    app="second-app",
    image=site.image,
    version="second",
    host=host,
    settings=App(replicas=1),
    pull_secret=site.pull_secret,
    secret_key=key.name,
    opts=in_cluster,
)
balancer = LoadBalancer("second", app=workload.app, port=workload.port, certificate_arn=tls.arn, opts=in_cluster)
Alias("second", zone_id=site.zone_id, host=host, target=balancer.hostname, opts=in_aws)

pulumi.export("url", f"https://{host}/")
pulumi.export("hostname", balancer.hostname)
