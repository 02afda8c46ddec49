"""A node to work with: made by `hilum init`, run by `hilum serve`."""

import os
import random
import socket
import subprocess
from pathlib import Path

import requests

PATIENT_AUTHORITY = "2.999.1"
# Of a UUID: dciodvfy objects to the root of examples, 2.999.
REPOSITORY = "2.25.329800735698586629295641978511506172918"


class Node:
    """A node with mutual TLS in a folder of its own, and what a client of it needs."""

    def __init__(self, hilum: Path, studies: Path, folder: Path, plain: bool = False):
        folder.mkdir(exist_ok=True)
        self.hilum = hilum
        self.studies = studies
        self.folder = folder / "node"
        self.files = folder
        self.plain = plain
        base = free_ports()
        self.feed_port = base + 5
        self.dicom_port = base + 10
        # Where this node finds who asked for storage commitment.
        self.called_back_port = base + 12
        self.registry = f"https://localhost:{base + 1}/registry"
        self.repository = f"https://localhost:{base + 2}/repository"
        self.imaging = f"https://localhost:{base + 2}/imaging"
        # Further arguments of `hilum init`.
        self.extra = []
        self._base = base
        self._process = None

    def __enter__(self):
        self.run(
            "init", self.folder, "--port-base", self._base, "--accept-unknown-patients",
            "--patient-authority", PATIENT_AUTHORITY, "--repository-id", REPOSITORY,
            *(["--plain"] if self.plain else []), *self.extra,
        )  # fmt: skip
        known = f'{{ ae_title = "PYNETDICOM", host = "127.0.0.1", port = {self.called_back_port} }}'
        file = self.folder / "hilum.toml"
        lines = file.read_text().splitlines()
        lines = [f"node = [{known}]" if line.startswith("# node = ") else line for line in lines]
        file.write_text("\n".join(lines) + "\n")
        with open(self.files / "log", "w") as log:
            self._process = subprocess.Popen(
                [self.hilum, "serve", "--config", self.folder / "hilum.toml"],
                stdout=subprocess.PIPE, stderr=log, text=True,
            )  # fmt: skip
        configuration = (self.folder / "hilum.toml").read_text().splitlines()
        for _ in filter(lambda line: line.startswith("listen = "), configuration):
            line = self._process.stdout.readline()
            if not line.startswith("listening "):
                raise RuntimeError(f"the node does not listen: {(self.files / 'log').read_text()}")
        return self

    def __exit__(self, *_):
        self._process.terminate()
        self._process.wait(30)

    def run(self, *arguments) -> str:
        """Runs `hilum` and gives back what it printed."""
        return self.run_with({}, *arguments)

    def run_with(self, environment: dict, *arguments) -> str:
        """The same with other values in the configuration."""
        command = [self.hilum, *map(str, arguments)]
        where = self.folder if self.folder.exists() else self.files
        environment = {**os.environ, **environment}
        done = subprocess.run(command, cwd=where, env=environment, capture_output=True, text=True)
        if done.returncode != 0:
            raise RuntimeError(f"{command}: {done.stderr}")
        return done.stdout

    def session(self) -> requests.Session:
        """An HTTP session with the certificate of a client."""
        certs = self.folder / "certs"
        session = requests.Session()
        # Neither a proxy nor other authorities from the environment.
        session.trust_env = False
        session.verify = str(certs / "ca.pem")
        session.cert = (str(certs / "client.pem"), str(certs / "client.key"))
        return session


def free_ports() -> int:
    """A base such that the ports of the rooms are free."""
    for _ in range(1000):
        base = random.randrange(12_000, 32_000, 20)
        with socket.socket() as one, socket.socket() as two, socket.socket() as five:
            try:
                one.bind(("127.0.0.1", base + 1))
                two.bind(("127.0.0.1", base + 2))
                five.bind(("127.0.0.1", base + 5))
            except OSError:
                continue
            return base
    raise RuntimeError("no free ports")
