"""Certificate: TLS for the site's hosts, validated through their zone."""

from collections.abc import Sequence

import pulumi
import pulumi_aws as aws


class Certificate(pulumi.ComponentResource):
    """An ACM certificate with the DNS records that validate it, or a given certificate.

    ACM reads the records from the public DNS, so the zone must be delegated.
    """

    arn: pulumi.Output[str]
    """The certificate's ARN. Known once it is issued: a listener refuses it before."""

    def __init__(
        self,
        name: str,
        *,
        hosts: Sequence[str],
        zone_id: pulumi.Input[str],
        given: str | None = None,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Declare it; `zone_id` is the hosts' delegated zone, `given` the ARN of a certificate to use instead."""
        super().__init__("ejemplo-django:infra:Certificate", name, None, opts)

        self.arn = self._request(name, hosts, zone_id) if given is None else self._look_up(name, hosts, given)
        self.register_outputs({"arn": self.arn})

    def _request(self, name: str, hosts: Sequence[str], zone_id: pulumi.Input[str]) -> pulumi.Output[str]:
        certificate = aws.acm.Certificate(
            f"{name}-certificate",
            domain_name=hosts[0],
            # Always all of them: without this input, AWS's provider would keep the previous names.
            subject_alternative_names=list(hosts),
            validation_method="DNS",
            opts=pulumi.ResourceOptions(parent=self),
        )
        proofs = []
        for host in hosts:
            option = _option(certificate, host)
            proof = aws.route53.Record(
                # Named after the host, so that each record keeps its identity when hosts come, go or change places.
                f"{name}-proof-{host}",
                zone_id=zone_id,
                name=option.resource_record_name,
                type=option.resource_record_type,
                records=[option.resource_record_value],
                ttl=300,  # seconds; the record does not change, a mistake in it should not last
                # ACM uses one record per host for all certificates of an account, so it may exist already.
                allow_overwrite=True,
                opts=pulumi.ResourceOptions(
                    parent=self,
                    # The record's name in an older stack, so that it is not replaced.
                    aliases=[pulumi.Alias(name=f"{name}-proof")] if host == hosts[0] else None,
                ),
            )
            proofs.append(proof)
        issued = aws.acm.CertificateValidation(
            f"{name}-issued",
            certificate_arn=certificate.arn,
            validation_record_fqdns=[each.fqdn for each in proofs],
            # The provider's default is 75 minutes; with the delegation in place ACM takes a few.
            opts=pulumi.ResourceOptions(parent=self, custom_timeouts=pulumi.CustomTimeouts(create="15m")),
        )
        return issued.certificate_arn

    def _look_up(self, name: str, hosts: Sequence[str], arn: str) -> pulumi.Output[str]:
        """Return the ARN of a given certificate; raise RunError if the balancer or visitors would refuse it."""
        found = aws.acm.Certificate.get(f"{name}-given", arn, opts=pulumi.ResourceOptions(parent=self))

        return pulumi.Output.all(found.status, found.subject_alternative_names).apply(
            lambda seen: usable(arn, hosts=hosts, status=seen[0], names=seen[1])
        )


def _option(
    certificate: aws.acm.Certificate, host: str
) -> pulumi.Output[aws.acm.outputs.CertificateDomainValidationOption]:
    """Return ACM's validation option for the host. ACM lists the options in no fixed order."""
    return certificate.domain_validation_options.apply(
        lambda options: next(each for each in options if each.domain_name == host)
    )


def usable(arn: str, *, hosts: Sequence[str], status: str, names: Sequence[str]) -> str:
    """Return the ARN of a certificate that is issued and valid for all hosts; otherwise raise RunError."""
    if status != "ISSUED":
        raise pulumi.RunError(f"certificateArn: found a certificate that is {status}, expected one that is ISSUED.")
    # A wildcard stands for one label (RFC 6125, 6.4.3).
    lacking = [host for host in hosts if not {host, f"*.{host.partition('.')[2]}"} & set(names)]
    if lacking:
        raise pulumi.RunError(
            f"certificateArn: found a certificate for {', '.join(names)}, expected one for {', '.join(lacking)}."
        )
    return arn
