"""The AWS API: moto's server, with the gaps closed that the program and the cloud controller fall into.

Each module beside this one is a service of AWS, and each function of it changes one behaviour of moto 5.2.5 to that
of AWS. The account starts with what a cluster on EC2 has (`account`).
"""

from moto import mock_aws
from moto.server import main as serve

from sandbox import addresses
from sandbox.aws import account, acm, calls, ec2, ecr, eks, elb, iam, route53, s3
from sandbox.layout import here


def main() -> None:
    """Serve until ended."""
    acm.issue_from_authority(here())
    ec2.templates_keep_their_own_tags()
    ecr.passwords_end(here())
    eks.as_aws_does_it(here())
    elb.balancers_as_aws_makes_them()
    iam.callers_are_told_apart()
    route53.records_can_be_made_again()
    route53.zones_as_route53_makes_them()
    s3.buckets_have_their_first_tags()
    inside = mock_aws()  # the server's own backends, reached in process before the first request can arrive
    inside.start()
    account.furnish()
    inside.stop(remove_data=False)
    iam.serve_sts(here())
    calls.recorded(here().aws_calls)
    serve(["--host", addresses.NODE_ADDRESS, "--port", addresses.AWS_ENDPOINT.rpartition(":")[2]])


if __name__ == "__main__":
    main()
