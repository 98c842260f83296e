"""For tests of whatever calls out: a small internet on this machine, and the addresses nobody may make us call.

`Town` stands in for name servers and the way to an address. An address it is asked to dial is noted, then led to
a port of this machine, so that a call to "the public internet" can succeed and a forbidden one is seen for certain.
"""

import asyncio
import ssl
import tempfile
from collections.abc import Sequence
from datetime import timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from nexuscore.kernel import clock
from nexuscore.kernel.outbound.targets import Address
from nexuscore.kernel.outbound.wire import Connection

PUBLIC = "93.184.215.14"

# (URL, what the name servers say of its host)
HOSTILE: tuple[tuple[str, tuple[str, ...]], ...] = (
    # addresses as they are
    ("https://127.0.0.1/", ()),
    ("https://127.8.8.8/", ()),
    ("https://0.0.0.0/", ()),
    ("https://10.0.0.1/", ()),
    ("https://172.16.0.1/", ()),
    ("https://172.31.255.255/", ()),
    ("https://192.168.1.1/", ()),
    ("https://169.254.169.254/latest/meta-data/", ()),
    ("https://100.64.0.1/", ()),
    ("https://100.100.100.200/", ()),
    ("https://168.63.129.16/", ()),
    ("https://192.0.0.192/", ()),
    ("https://192.88.99.1/", ()),
    ("https://198.18.0.1/", ()),
    ("https://224.0.0.1/", ()),
    ("https://240.0.0.1/", ()),
    ("https://255.255.255.255/", ()),
    # numbers some resolvers read as addresses
    ("https://2130706433/", ()),
    ("https://0x7f000001/", ()),
    ("https://0x7f.1/", ()),
    ("https://0177.0.0.1/", ()),
    ("https://017700000001/", ()),
    ("https://127.1/", ()),
    ("https://127.0.1/", ()),
    ("https://0x7f.0x0.0x0.0x1/", ()),
    ("https://0x7F.0.0.1/", ()),
    # one address inside another
    ("https://[::1]/", ()),
    ("https://[::]/", ()),
    ("https://[::ffff:127.0.0.1]/", ()),
    ("https://[::ffff:7f00:1]/", ()),
    ("https://[::ffff:0:127.0.0.1]/", ()),
    ("https://[::127.0.0.1]/", ()),
    ("https://[64:ff9b::7f00:1]/", ()),
    ("https://[64:ff9b:1::7f00:1]/", ()),
    ("https://[2002:7f00:1::1]/", ()),
    ("https://[2001:0:7f00:1::]/", ()),
    ("https://[fe80::1]/", ()),
    ("https://[fec0::1]/", ()),
    ("https://[fc00::1]/", ()),
    ("https://[fd00:ec2::254]/", ()),
    ("https://[ff02::1]/", ()),
    ("https://[2001:db8::1]/", ()),
    # letters that fold into numbers and names
    ("https://１２７.０.０.１/", ()),  # noqa: RUF001 - the ambiguity is the attack
    ("https://127。0。0。1/", ()),
    ("https://①②⑦.⓪.⓪.①/", ()),
    ("https://ⓛⓞⓒⓐⓛⓗⓞⓢⓣ/", ("127.0.0.1",)),
    ("https://127%2e0%2e0%2e1/", ()),
    # names of this machine and its network
    ("https://localhost/", ("127.0.0.1", "::1")),
    ("https://localhost./", ("127.0.0.1",)),
    ("https://canary.localhost/", ("127.0.0.1",)),
    ("https://metadata.google.internal/", ("169.254.169.254",)),
    ("https://printer/", ("192.168.1.9",)),
    # public names that lead inside
    ("https://inside.example.com/", ("127.0.0.1",)),
    ("https://private.example.com/", ("10.1.2.3",)),
    ("https://metadata.example.com/", ("169.254.169.254",)),
    ("https://mapped.example.com/", ("::ffff:127.0.0.1",)),
    ("https://nat64.example.com/", ("64:ff9b::7f00:1",)),
    ("https://mixed.example.com/", (PUBLIC, "127.0.0.1")),
    # URLs that two readers read in two ways
    ("https://control.example.com@127.0.0.1/", ()),
    ("https://127.0.0.1\\@control.example.com/", ()),
    ("https://127.0.0.1#@control.example.com/", ()),
    ("https://12\t7.0.0.1/", ()),
    ("https://127.0.0.1\n/", ()),
    # a public name, but not for this
    ("https://control.example.com:22/", (PUBLIC,)),
    ("https://control.example.com:6379/", (PUBLIC,)),
    ("http://control.example.com/", (PUBLIC,)),
)
CONTROL = "https://control.example.com/hook"


class Town:
    """Names, the ports of this machine they lead to, and a note of every address that was dialled."""

    def __init__(self) -> None:
        self.names: dict[str, list[tuple[str, ...]]] = {"control.example.com": [(PUBLIC,)]}
        self.port = 0
        self.dialled: list[str] = []
        self.asked: list[str] = []
        self._server, self.trust = _certified("*.example.com", "control.example.com")

    @property
    def certificate(self) -> ssl.SSLContext:
        """What a server for *.example.com shows; `trust` believes it."""
        return self._server

    async def resolve(self, host: str, port: int) -> Sequence[Address]:
        """What the name servers say; the last answer is repeated."""
        self.asked.append(host)
        answers = self.names.get(host)
        if not answers:
            raise OSError(f"no such name: {host}")
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        return [ip_address(each) for each in answer]

    async def dial(
        self, connection: Connection, address: Address, port: int, tls: ssl.SSLContext | None, name: str
    ) -> None:
        """Note the address, and connect to `port` of this machine instead."""
        self.dialled.append(str(address))
        await asyncio.get_running_loop().create_connection(
            lambda: connection, "127.0.0.1", self.port, ssl=tls, server_hostname=name if tls else None
        )


def _certified(*names: str) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """A server's context with a certificate for `names`, and a client's that trusts just that."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0])])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(clock.now() - timedelta(days=1))
        .not_valid_after(clock.now() + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name) for name in names]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    public = certificate.public_bytes(serialization.Encoding.PEM)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "both.pem"
        path.write_bytes(private + public)
        server.load_cert_chain(path)
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.load_verify_locations(cadata=public.decode())
    return server, client
