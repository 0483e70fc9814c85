"""Addresses, names and ports of the embedded cloud. This module imports nothing."""

LINK = "edsandbox0"
"""The host's end of the virtual Ethernet pair; at most 15 characters (Linux IFNAMSIZ)."""

HOST_ADDRESS = "10.213.7.1"
"""The host's own address on the link."""

NODE_ADDRESS = "10.213.7.2"
"""The machine's address, of the node, the API server, the registry, the name server and the AWS endpoint."""

ECR_ADDRESS = "10.213.7.3"
"""The machine's second address, of ECR's registry. AWS reserves a subnet's first four, so no balancer gets it."""

NETWORK = "10.213.7.0/24"
"""The network of the link, and of the VPC and its subnet in EC2: load balancers get their addresses from it."""

NAME_SERVERS = "10.213.7.128/25"
"""The addresses of Route 53's name servers: the upper half of the network, which no load balancer gets."""

WORLD = "the world"
"""The caller reference of hosted zones that count as delegated from the root."""

PARENT_ZONE = "example.test"
"""The hosted zone the account starts with, delegated from the root; `.test` is reserved (RFC 6761)."""

UPSTREAM_DNS = "10.0.2.3"
"""Where slirp4netns forwards DNS to the host's own resolver (slirp4netns(1))."""

POD_NETWORK = "10.244.0.0/16"
"""The pods' addresses (the range customary with kubeadm)."""

SERVICE_NETWORK = "10.96.0.0/16"
"""The Services' cluster addresses (kubeadm's default)."""

NODE = "sandbox-node"
"""The Kubernetes node's name."""

CLUSTER = "sandbox"
"""The cluster's name in AWS tags and in the kubeconfig."""

REGION, ZONE = "us-east-1", "us-east-1a"
"""The AWS region and the zone of the only node."""

REGISTRY = "registry.example.test:5000"
"""The private registry."""

ECR_DOMAIN = f".dkr.ecr.{REGION}.amazonaws.com"
"""The end of the host names of ECR's registries in the region, after the account's number."""

AWS_ENDPOINT = f"http://{NODE_ADDRESS}:4566"
"""The endpoint of every AWS API, served by moto."""

API_SERVER = f"https://{NODE_ADDRESS}:6443"
"""The URL of the Kubernetes API server."""

AUTHENTICATOR_PORT = 21362
"""The port of EKS' authenticator, its own default."""

BALANCERS_HEALTH_PORT = 8404
"""The port of haproxy's health check."""

STS_HOST = f"sts.{REGION}.amazonaws.com"
"""The host name of STS that EKS' authenticator asks about a token; in the machine it leads to moto."""
