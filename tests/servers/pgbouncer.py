"""A real PgBouncer in front of the tests' PostgreSQL, with its default settings."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import parse_qs, urlsplit

import psycopg
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from tests.helpers.processes import start
from tests.helpers.waiting import patience, wait_for

if TYPE_CHECKING:
    from collections.abc import Mapping


class PgBouncer:
    """Lends connections of the database at this URL, by transaction unless the settings say otherwise.

    `tls_port`: it listens there, too, with TLS alone and a certificate that nobody knows. `users`: who may come, with
    which password; none: everybody may.
    """

    def __init__(
        self, url: str, tls_port: int | None = None, users: Mapping[str, str] | None = None, **settings: object
    ) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="varsel-pgbouncer-"))
        self._port = tls_port or 6432  # the socket's name has it, too
        where = {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
        self._server = f"{where['host']} port={where.get('port', 5432)}"
        self._name = urlsplit(url).path[1:]
        self._settings: Mapping[str, object] = {
            "listen_addr": "",
            "unix_socket_dir": self._folder,
            "auth_type": "any",
            "pool_mode": "transaction",
            "logfile": self._folder / "log",
            **(self._tls(tls_port) if tls_port else {}),
            **(self._known(users) if users else {}),
            **settings,
        }

    def __enter__(self) -> Self:
        program = shutil.which("pgbouncer", path=f"{os.environ['PATH']}:/usr/sbin")
        assert program, "pgbouncer is missing: run `make test`, which installs it"
        databases = "[databases]\n"
        for name, its in {"varsel": self._name, "gone": "missing"}.items():
            databases += f"{name} = host={self._server} dbname={its} user=varsel\n"
        settings = "".join(f"{name} = {value}\n" for name, value in self._settings.items())
        file = self._folder / "pgbouncer.ini"
        file.write_text(f"{databases}[pgbouncer]\n{settings}")
        options: dict[str, Any] = {"cwd": "/"}
        if os.geteuid() == 0:  # PgBouncer refuses to run as root
            account = pwd.getpwnam("postgres")
            options |= {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}
            for path in (self._folder, *self._folder.iterdir()):
                shutil.chown(path, account.pw_uid)
        self._process = start([program, "-q", str(file)], signal.SIGTERM, **options)
        wait_for(self._answers)
        return self

    def __exit__(self, *_: object) -> None:
        self._process.send_signal(signal.SIGTERM)
        self._process.wait(patience())
        shutil.rmtree(self._folder)

    @property
    def url(self) -> str:
        """The database's address through the pooler."""
        return f"postgresql://varsel@/varsel?host={self._folder}&port={self._port}"

    @property
    def gone(self) -> str:
        """The address of a database that the server does not have."""
        return self.url.replace("/varsel?", "/gone?")

    def _known(self, users: Mapping[str, str]) -> dict[str, object]:
        file = self._folder / "users"
        file.write_text("".join(f'"{name}" "{password}"\n' for name, password in users.items()))
        return {"auth_type": "scram-sha-256", "auth_file": file}

    def _tls(self, port: int) -> dict[str, object]:
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
        now = datetime.now(UTC)
        builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
        builder = builder.serial_number(x509.random_serial_number())
        signed = builder.not_valid_before(now).not_valid_after(now + timedelta(days=1)).sign(key, SHA256())
        files = {name: self._folder / f"{name}.pem" for name in ("key", "cert")}
        files["key"].write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        files["cert"].write_bytes(signed.public_bytes(Encoding.PEM))
        place = {"listen_addr": "127.0.0.1", "listen_port": port, "client_tls_sslmode": "require"}
        return place | {f"client_tls_{name}_file": file for name, file in files.items()}

    def _answers(self) -> bool:
        assert self._process.poll() is None, (self._folder / "log").read_text()
        try:
            psycopg.connect(self.url).close()
        except psycopg.OperationalError as error:  # which may be its settings'
            return "Is the server running" not in str(error)
        return True
