"""The AWS API: moto's server, with the behaviour that the program and the cloud controller need.

Each module of an AWS service beside this one has functions that change one behaviour of moto 5.2.5 each to that of AWS.
The account starts with what a cluster on EC2 has (`account`).
"""

from moto import mock_aws
from moto.server import main as serve

from sandbox import addresses
from sandbox.aws import account, acm, calls, ec2, ecr, eks, elb, iam, route53, s3, serving
from sandbox.layout import here


def main() -> None:
    """Serve until ended."""
    acm.issue_from_authority(here())
    ec2.as_aws_does_it()
    ecr.passwords_end(here())
    eks.as_aws_does_it(here())
    elb.balancers_as_aws_makes_them()
    iam.callers_are_told_apart()
    route53.as_aws_does_it()
    s3.buckets_have_their_first_tags()
    inside = mock_aws()  # the server's own backends, used in this process before the first request
    inside.start()
    account.furnish()
    inside.stop(remove_data=False)
    iam.serve_sts(here())
    serving.as_aws_does_it()
    calls.recorded(here().aws_calls)
    serve(["--host", addresses.NODE_ADDRESS, "--port", addresses.AWS_ENDPOINT.rpartition(":")[2]])


if __name__ == "__main__":
    main()
