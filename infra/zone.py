"""Zone: the domain's hosted zone, and a certificate for the site's host that is validated through it."""

from collections.abc import Sequence

import pulumi
import pulumi_aws as aws


class Zone(pulumi.ComponentResource):
    """A hosted zone, an ACM certificate for the host, and the record that proves to ACM whose zone it is.

    ACM reads that record over the public DNS. Until the parent zone names this zone's name servers there is
    nothing to read, so in a new zone the certificate waits for the delegation, here for at most 15 minutes;
    the `up` that follows the delegation continues where this one ended.
    """

    id: pulumi.Output[str]
    """The hosted zone's."""
    name_servers: pulumi.Output[Sequence[str]]
    """What the parent zone's NS record must name."""
    certificate_arn: pulumi.Output[str]
    """Known once the certificate is issued: a listener refuses one that is not."""

    def __init__(
        self, name: str, *, domain: str, host: str, protect: bool, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        """Declare it; unless protected, the zone is deleted with whatever records are left in it."""
        super().__init__("ejemplo-django:infra:Zone", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)

        zone = aws.route53.Zone(
            f"{name}-zone",
            name=domain,
            force_destroy=not protect,
            opts=pulumi.ResourceOptions(parent=self, protect=protect),
        )
        certificate = aws.acm.Certificate(
            f"{name}-certificate", domain_name=host, validation_method="DNS", opts=child
        )
        # A certificate for one name has one option. A loop over them would have to declare inside `apply`.
        option = certificate.domain_validation_options[0]
        proof = aws.route53.Record(
            f"{name}-proof",
            zone_id=zone.zone_id,
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

        self.id = zone.zone_id
        self.name_servers = zone.name_servers
        self.certificate_arn = issued.certificate_arn
        self.register_outputs(
            {"id": self.id, "nameServers": self.name_servers, "certificateArn": self.certificate_arn}
        )
