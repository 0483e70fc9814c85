"""The sandbox's AWS: moto with its gaps filled, a name server, and the load balancers' data plane."""
