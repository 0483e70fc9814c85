"""Where everything of the embedded cloud is reached: addresses, names, ports. It imports nothing."""

LINK = "edsandbox0"
"""The host's end of the virtual Ethernet pair; at most 15 characters (Linux IFNAMSIZ)."""

HOST_ADDRESS = "10.213.7.1"
"""The host's own address on the link."""

NODE_ADDRESS = "10.213.7.2"
"""The machine's address: the node, the API server, the registry, the name server and the AWS endpoint."""

ECR_ADDRESS = "10.213.7.3"
"""The machine's other address: ECR's registry. AWS keeps the first four of a subnet, so no balancer gets it."""

NETWORK = "10.213.7.0/24"
"""The link's network, and the VPC's and subnet's range in EC2: balancers get their addresses from it."""

NAME_SERVERS = "10.213.7.128/25"
"""The addresses of Route 53's name servers: the upper half of the network, which no balancer reaches."""

WORLD = "the world"
"""The caller reference of the hosted zones that the DNS leads to without this account's doing."""

PARENT_ZONE = "example.test"
"""The hosted zone in the account from the beginning, which the world knows; `.test` is reserved (RFC 6761)."""

UPSTREAM_DNS = "10.0.2.3"
"""slirp4netns answers DNS there on behalf of the host's own resolver (slirp4netns(1))."""

POD_NETWORK = "10.244.0.0/16"
"""The pods' addresses (kubeadm's customary range)."""

SERVICE_NETWORK = "10.96.0.0/16"
"""The cluster addresses of Services (kubeadm's customary range)."""

NODE = "sandbox-node"
"""The Kubernetes node's name."""

CLUSTER = "sandbox"
"""The cluster's name in AWS tags and in the kubeconfig."""

REGION, ZONE = "us-east-1", "us-east-1a"
"""The AWS region and the zone of the only node."""

REGISTRY = "registry.example.test:5000"
"""The private registry."""

ECR_DOMAIN = f".dkr.ecr.{REGION}.amazonaws.com"
"""What the names of ECR's registries in the region end with, after the account's number."""

AWS_ENDPOINT = f"http://{NODE_ADDRESS}:4566"
"""Every AWS API, as moto serves it."""

API_SERVER = f"https://{NODE_ADDRESS}:6443"
"""The API server of Kubernetes."""

AUTHENTICATOR_PORT = 21362
"""Where EKS' authenticator answers the API server; the authenticator's own default."""

BALANCERS_HEALTH_PORT = 8404
"""Where haproxy answers that it runs."""

STS_HOST = f"sts.{REGION}.amazonaws.com"
"""The only name of STS in this region that EKS' authenticator asks about a token; the machine knows it as moto's."""
