"""Certificate: TLS for one host, proved to ACM through the zone that the host is in."""

from collections.abc import Sequence

import pulumi
import pulumi_aws as aws


class Certificate(pulumi.ComponentResource):
    """An ACM certificate, and the record that proves to ACM whose zone it is; or one that was issued before.

    ACM reads that record over the public DNS, so the zone must be delegated.
    """

    arn: pulumi.Output[str]
    """Known once the certificate is issued: a listener refuses one that is not."""

    def __init__(
        self,
        name: str,
        *,
        host: str,
        zone_id: pulumi.Input[str],
        given: str | None = None,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Declare it; `zone_id` is of the host's zone, delegated; `given` the ARN of a certificate to use instead."""
        super().__init__("ejemplo-django:infra:Certificate", name, None, opts)

        self.arn = self._requested(name, host, zone_id) if given is None else self._found(name, host, given)
        self.register_outputs({"arn": self.arn})

    def _requested(self, name: str, host: str, zone_id: pulumi.Input[str]) -> pulumi.Output[str]:
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
        return issued.certificate_arn

    def _found(self, name: str, host: str, arn: str) -> pulumi.Output[str]:
        """Read it, and refuse one that the balancer or the site's visitors would not take."""
        found = aws.acm.Certificate.get(f"{name}-given", arn, opts=pulumi.ResourceOptions(parent=self))

        return pulumi.Output.all(found.status, found.subject_alternative_names).apply(
            lambda seen: usable(arn, host=host, status=seen[0], names=seen[1])
        )


def usable(arn: str, *, host: str, status: str, names: Sequence[str]) -> str:
    """Hand on the ARN of a certificate that is valid for the host, or raise RunError."""
    if status != "ISSUED":
        raise pulumi.RunError(f"certificateArn: found a certificate that is {status}, expected one that is ISSUED.")
    # A wildcard stands for one label (RFC 6125, 6.4.3).
    if not {host, f"*.{host.partition('.')[2]}"} & set(names):
        raise pulumi.RunError(f"certificateArn: found a certificate for {', '.join(names)}, expected one for {host}.")
    return arn
