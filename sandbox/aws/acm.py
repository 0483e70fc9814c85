"""ACM: certificates from the sandbox's authority, issued once DNS has their validation records."""

import dns.exception
import dns.resolver
import trustme
from moto.acm.models import AWSCertificateManagerBackend, CertBundle

from sandbox import addresses, pki
from sandbox.aws.patch import patch
from sandbox.layout import Layout


def issue_from_authority(layout: Layout) -> None:
    """Make ACM sign with the sandbox's authority, check the validation records in DNS, and store the keys."""
    folder = layout.certificates
    folder.mkdir(mode=0o700, exist_ok=True)
    ca = pki.authority(layout)
    resolver = dns.resolver.Resolver(configure=False)
    resolver.nameservers = [addresses.NODE_ADDRESS]
    resolver.lifetime = 2.0

    def generate(
        domain_name: str,
        account_id: str,
        region: str,
        sans: list[str] | None = None,
        cert_authority_arn: str | None = None,
    ) -> CertBundle:
        names = sorted({domain_name, *(sans or [])})
        leaf = ca.issue_cert(*names, common_name=domain_name, key_type=trustme.KeyType.RSA)
        bundle = CertBundle(
            account_id,
            leaf.cert_chain_pems[0].bytes(),
            leaf.private_key_pem.bytes(),
            region=region,
            cert_type="AMAZON_ISSUED",
            cert_status="PENDING_VALIDATION",
        )
        bundle.chain = ca.cert_pem.bytes()
        return bundle

    def check(self: CertBundle) -> None:
        if self.status != "PENDING_VALIDATION":
            return
        options = self.describe()["Certificate"]["DomainValidationOptions"]
        for record in (option["ResourceRecord"] for option in options):
            try:
                answer = resolver.resolve(record["Name"], record["Type"])
            except dns.exception.DNSException:
                return  # not there yet; checked again whenever the certificate is described
            if record["Value"] not in [str(data) for data in answer]:
                return
        (folder / f"{self.arn.rpartition('/')[2]}.pem").write_bytes(self.cert + self.key)
        self.status = "ISSUED"

    patch(CertBundle, "generate_cert", generate)
    patch(CertBundle, "check", check)
    delete = AWSCertificateManagerBackend.delete_certificate

    def delete_certificate(self: AWSCertificateManagerBackend, arn: str) -> None:
        delete(self, arn)
        (folder / f"{arn.rpartition('/')[2]}.pem").unlink(missing_ok=True)

    patch(AWSCertificateManagerBackend, "delete_certificate", delete_certificate)
