"""A MariaDB server of our own for the tests: its data in a folder, TLS on loopback, ended by its id.

`make mariadb` installs Debian's; this module installs nothing.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

from copilot.store.mysql import Address

USER = "copilot"
PASSWORD = "it's a \\ test"
"""With what a careless client would trip over."""
START_S = 60.0


def is_installed() -> bool:
    """Whether Debian's server and client are here."""
    return all(shutil.which(name) for name in ("mariadbd", "mariadb-install-db", "mariadb"))


@dataclass(slots=True)
class MariaDb:
    """One server. `kill` and `start` again is a crash and a recovery."""

    folder: Path
    port: int = 0
    is_synced: bool = True
    """Whether a commit waits for the disk; a killed process loses nothing either way."""
    host: str = "127.0.0.1"
    """The address it listens on, which its certificate names."""
    password: str = field(default=PASSWORD, repr=False)
    _process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    @classmethod
    def made(
        cls,
        folder: Path,
        *,
        is_synced: bool = True,
        host: str = "127.0.0.1",
        port: int = 0,
        password: str = PASSWORD,
    ) -> MariaDb:
        """An empty one, not started."""
        folder.mkdir(parents=True, exist_ok=True)
        server = cls(folder, port or _free_port(), is_synced, host, password)
        _run(
            folder,
            f"mariadb-install-db --no-defaults --datadir={folder / 'data'} --skip-test-db "
            "--auth-root-authentication-method=normal",
            *(["--user=root"] if os.getuid() == 0 else []),
        )
        _certificates(folder, host)
        quoted = password.replace("\\", "\\\\").replace("'", "\\'")
        (folder / "init.sql").write_text(
            f"CREATE USER IF NOT EXISTS '{USER}'@'%' IDENTIFIED BY '{quoted}';\n"
            f"GRANT ALL ON *.* TO '{USER}'@'%';\n"
        )
        return server

    @property
    def authority(self) -> Path:
        return self.folder / "ca.crt"

    def address(self, database: str, *, port: int = 0) -> Address:
        """`port` is that of whoever stands between."""
        return Address(
            host=self.host,
            port=port or self.port,
            user=USER,
            password=self.password,
            database=database,
            authority=self.authority,
        )

    def start(self) -> None:
        """Returns once it answers."""
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(self._command(), stdout=log, stderr=log)
        until = time.monotonic() + START_S
        while time.monotonic() < until and self._process.poll() is None:
            try:
                with socket.create_connection((self.host, self.port), 1) as answer:
                    if answer.recv(1):
                        return
            except OSError:
                time.sleep(0.05)
        raise RuntimeError("MariaDB did not start:\n" + (self.folder / "log").read_text()[-2000:])

    def _command(self) -> list[str]:
        return [
            *("mariadbd", "--no-defaults", f"--datadir={self.folder / 'data'}"),
            # Not the machine's: a server that starts removes what it takes for its own there.
            f"--tmpdir={self.folder}",
            *(f"--socket={self.folder / 's'}", f"--pid-file={self.folder / 'pid'}"),
            *(f"--port={self.port}", f"--bind-address={self.host}", "--skip-name-resolve"),
            *(f"--ssl-ca={self.authority}", f"--ssl-cert={self.folder / 'server.crt'}"),
            *(f"--ssl-key={self.folder / 'server.key'}", "--require-secure-transport=ON"),
            *(f"--init-file={self.folder / 'init.sql'}", "--innodb-buffer-pool-size=64M"),
            *("--innodb-log-file-size=16M", "--max-connections=200"),
            *(() if self.is_synced else ("--innodb-flush-method=nosync",)),
            *(["--user=root"] if os.getuid() == 0 else []),
        ]

    def kill(self) -> None:
        """As the kernel does it."""
        assert self._process
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()

    def stop(self) -> None:
        """Harmless where it is not running."""
        if self._process and self._process.poll() is None:
            self._process.terminate()
            self._process.wait(timeout=START_S)


def load(address: Address, sql: str) -> None:
    """Loads SQL as a person does: any `mysql` client, over TLS, no option for its comments."""
    subprocess.run(
        [
            *("mariadb", "--no-defaults", f"--host={address.host}", f"--port={address.port}"),
            *(f"--user={address.user}", f"--ssl-ca={address.authority}"),
            *("--ssl-verify-server-cert", address.database),
        ],
        input=sql.encode(),
        env=os.environ | {"MYSQL_PWD": address.password},
        check=True,
    )


def _free_port() -> int:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        return int(bound.getsockname()[1])


def _certificates(folder: Path, host: str) -> None:
    """An authority and what it says of this address."""
    (folder / "san").write_text(f"subjectAltName=IP:{host},DNS:localhost\n")
    _run(
        folder,
        "openssl req -x509 -newkey rsa:2048 -nodes -days 30 -subj /CN=test-authority "
        "-keyout ca.key -out ca.crt",
    )
    _run(
        folder,
        "openssl req -newkey rsa:2048 -nodes -subj /CN=test-server "
        "-keyout server.key -out server.csr",
    )
    _run(
        folder,
        "openssl x509 -req -in server.csr -CA ca.crt -CAkey ca.key -CAcreateserial -days 30 "
        "-extfile san -out server.crt",
    )


def _run(folder: Path, command: str, *more: str) -> None:
    done = subprocess.run(
        [*command.split(), *more], cwd=folder, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise RuntimeError(f"{command}: {done.stdout[-500:]}{done.stderr[-500:]}")
