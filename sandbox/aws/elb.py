"""Elastic Load Balancing: the defaults of a classic load balancer, and its listeners' properties."""

from typing import Any

from moto.elb.models import ELBBackend, FakeHealthCheck, FakeListener, LoadBalancer

from sandbox.aws.patch import patch


def balancers_as_aws_makes_them() -> None:
    """Give classic ELBs a default health check, keep listeners' InstanceProtocol, and delete several in one call."""
    create = LoadBalancer.__init__

    def init(self: LoadBalancer, *args: Any, **kwargs: Any) -> None:
        create(self, *args, **kwargs)
        port = self.listeners[0].instance_port
        # https://docs.aws.amazon.com/elasticloadbalancing/latest/classic/elb-healthchecks.html (defaults)
        self.health_check = FakeHealthCheck("5", "10", "2", "30", f"TCP:{port}")
        _keep_instance_protocols(self, kwargs["ports"])

    patch(LoadBalancer, "__init__", init)
    patch(FakeListener, "instance_protocol", "HTTP")  # a property in moto; each listener's own value overrides it
    add = ELBBackend.create_load_balancer_listeners

    def create_load_balancer_listeners(self: ELBBackend, name: str, ports: list[dict[str, Any]]) -> Any:
        balancer = add(self, name, ports)
        if balancer is not None:
            _keep_instance_protocols(balancer, ports)
        return balancer

    patch(ELBBackend, "create_load_balancer_listeners", create_load_balancer_listeners)

    def delete_load_balancer_listeners(self: ELBBackend, name: str, ports: list[int]) -> Any:
        balancer = self.get_load_balancer(name)
        # moto keeps each listener that differs from any of the ports: of two to delete, it keeps both.
        balancer.listeners = [each for each in balancer.listeners if int(each.load_balancer_port) not in ports]
        return balancer

    patch(ELBBackend, "delete_load_balancer_listeners", delete_load_balancer_listeners)


def _keep_instance_protocols(balancer: LoadBalancer, ports: list[dict[str, Any]]) -> None:
    asked = {str(port["LoadBalancerPort"]): port.get("InstanceProtocol") for port in ports}
    for listener in balancer.listeners:
        wanted = asked.get(str(listener.load_balancer_port))
        if wanted:
            patch(listener, "instance_protocol", wanted.upper())
