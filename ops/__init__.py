"""Commands for a stack around `pulumi up`: checks, previews of pull requests, deployments, drift, teardown."""
