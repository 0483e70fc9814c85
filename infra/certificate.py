"""Certificate: TLS for one host, proved to ACM through the zone that the host is in."""

import pulumi
import pulumi_aws as aws


class Certificate(pulumi.ComponentResource):
    """An ACM certificate, and the record that proves to ACM whose zone it is.

    ACM reads that record over the public DNS. Until the parent zone names the zone's name servers there is
    nothing to read, so in a new zone the certificate waits for the delegation, here for at most 15 minutes;
    the `up` that follows the delegation continues where this one ended.
    """

    arn: pulumi.Output[str]
    """Known once the certificate is issued: a listener refuses one that is not."""

    def __init__(
        self, name: str, *, host: str, zone_id: pulumi.Input[str], opts: pulumi.ResourceOptions | None = None
    ) -> None:
        """Declare it; `zone_id` is of the hosted zone that has, or will have, the host's records."""
        super().__init__("ejemplo-django:infra:Certificate", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)

        certificate = aws.acm.Certificate(f"{name}-certificate", domain_name=host, validation_method="DNS", opts=child)
        # A certificate for one name has one option. A loop over them would have to declare inside `apply`.
        option = certificate.domain_validation_options[0]
        proof = aws.route53.Record(
            f"{name}-proof",
            zone_id=zone_id,
            name=option.resource_record_name,
            type=option.resource_record_type,
            records=[option.resource_record_value],
            ttl=300,  # seconds; the record does not change, a mistake in it should not last
            opts=child,
        )
        issued = aws.acm.CertificateValidation(
            f"{name}-issued",
            certificate_arn=certificate.arn,
            validation_record_fqdns=[proof.fqdn],
            # The provider's default is 75 minutes; with the delegation in place ACM takes a few.
            opts=pulumi.ResourceOptions(parent=self, custom_timeouts=pulumi.CustomTimeouts(create="15m")),
        )

        self.arn = issued.certificate_arn
        self.register_outputs({"arn": self.arn})
