"""A real Postfix on loopback that takes mail only over STARTTLS and delivers it into a test's Maildir."""

from __future__ import annotations

import datetime as dt
import ipaddress
import pwd
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Self

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.helpers.ports import free_port

DOMAIN = "example.no"

_MAIN = """
compatibility_level = 3.6
queue_directory = {folder}/queue
data_directory = {folder}/data
mail_owner = postfix
setgid_group = postdrop
maillog_file = {folder}/log
maillog_file_prefixes = {folder}
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
myhostname = relay.test
mydestination =
mynetworks = 127.0.0.0/8
smtpd_tls_chain_files = {folder}/relay.pem
smtpd_tls_security_level = encrypt
smtpd_relay_restrictions = permit_mynetworks, reject
virtual_mailbox_domains = {domain}
virtual_mailbox_base = {folder}/mail
virtual_mailbox_maps = static:box/
virtual_uid_maps = static:{uid}
virtual_gid_maps = static:{gid}
virtual_minimum_uid = 1
alias_maps =
smtputf8_enable = yes
"""
_MASTER = """
127.0.0.1:{port} inet n - n - - smtpd
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
error unix - - n - - error
retry unix - - n - - error
proxymap unix - - n - - proxymap
anvil unix - - n - 1 anvil
virtual unix - n n - - virtual
postlog unix-dgram n - n - 1 postlogd
"""


class Postfix:
    """Runs as long as the context; needs root, as Postfix does."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="varsel-postfix-"))
        self.port = free_port()
        self.url = f"smtp+starttls://127.0.0.1:{self.port}"
        self.ca_file = self.folder / "ca.pem"

    def __enter__(self) -> Self:
        account = pwd.getpwnam("nobody")
        self.folder.chmod(0o755)
        self._certify()
        values = {"folder": self.folder, "domain": DOMAIN, "port": self.port}
        values |= {"uid": account.pw_uid, "gid": account.pw_gid}
        (self.folder / "main.cf").write_text(_MAIN.format(**values))
        (self.folder / "master.cf").write_text(_MASTER.format(**values))
        for name in ("queue", "data", "mail"):
            (self.folder / name).mkdir()
        shutil.chown(self.folder / "data", "postfix")
        shutil.chown(self.folder / "mail", account.pw_uid, account.pw_gid)
        self._postfix("start")
        return self

    def __exit__(self, *_: object) -> None:
        self._postfix("stop")
        shutil.rmtree(self.folder)

    def delivered(self) -> list[bytes]:
        """The messages in the mailbox, as Postfix wrote them."""
        return [path.read_bytes() for path in sorted((self.folder / "mail" / "box" / "new").glob("*"))]

    def log(self) -> str:
        """Postfix's log."""
        path = self.folder / "log"
        return path.read_text() if path.exists() else ""

    def _postfix(self, command: str) -> None:
        done = subprocess.run(
            ["/usr/sbin/postfix", "-c", str(self.folder), command], check=False, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr + self.log()

    def _certify(self) -> None:
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "relay.test")])
        now = dt.datetime.now(dt.UTC)
        certificate = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - dt.timedelta(hours=1))
            .not_valid_after(now + dt.timedelta(days=1))
            .add_extension(
                x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False
            )
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .sign(key, hashes.SHA256())
        )
        public = certificate.public_bytes(serialization.Encoding.PEM)
        private = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        self.ca_file.write_bytes(public)
        chain = self.folder / "relay.pem"
        chain.touch(0o600)
        chain.write_bytes(private + public)
