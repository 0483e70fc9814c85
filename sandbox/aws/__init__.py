"""What stands behind the AWS API here: moto with its gaps filled, a name server, and the balancers' data plane."""
