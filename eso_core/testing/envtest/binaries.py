"""Where etcd, kube-apiserver and kubectl are, and how the first two are started."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from eso_core.meta.errors import EsoCoreError

Flags = Mapping[str, str | Sequence[str] | None]

_DEFAULT_FOLDER: Final = Path("/usr/local/kubebuilder/bin")


class EnvTestError(EsoCoreError):
    """The test environment cannot start, or not do what is asked; the text says what to do."""


@dataclass(frozen=True, slots=True)
class Binaries:
    """Paths of executables; kubectl is None when there is none."""

    etcd: Path
    api_server: Path
    kubectl: Path | None


def find_binaries(folder: Path | None, environ: Mapping[str, str]) -> Binaries:
    """The binaries: of ``TEST_ASSET_*`` one by one, else of ``folder``, ``KUBEBUILDER_ASSETS`` or the usual place.

    Raises:
        EnvTestError: One is missing, or cannot be executed.
    """
    place = folder or Path(environ.get("KUBEBUILDER_ASSETS") or _DEFAULT_FOLDER)

    def find(name: str, variable: str) -> Path:
        path = Path(environ[variable]) if environ.get(variable) else place / name
        if not path.is_file():
            raise EnvTestError(
                f"finding {name}: {path} does not exist: install it (`setup-envtest use`) and set KUBEBUILDER_ASSETS to its folder, "
                f"or {variable} to the file"
            )
        if not os.access(path, os.X_OK):
            raise EnvTestError(f"finding {name}: {path} is not executable: chmod +x it")
        return path

    kubectl = Path(environ["TEST_ASSET_KUBECTL"]) if environ.get("TEST_ASSET_KUBECTL") else place / "kubectl"
    return Binaries(
        find("etcd", "TEST_ASSET_ETCD"),
        find("kube-apiserver", "TEST_ASSET_KUBE_APISERVER"),
        kubectl if kubectl.is_file() else None,
    )


def command_line(binary: Path, defaults: Flags, changes: Flags) -> list[str]:
    """Flags as arguments, sorted by name. A change replaces a default; None removes it, a list repeats the flag."""
    arguments = [str(binary)]
    for name, value in sorted({**defaults, **changes}.items()):
        if value is None:
            continue
        for item in [value] if isinstance(value, str) else value:
            arguments.append(f"--{name}={item}")
    return arguments


def etcd_flags(folder: Path, client_port: int, peer_port: int) -> dict[str, str]:
    """etcd on loopback; its data does not outlive the test, so nothing is synced to disk."""
    url = f"http://127.0.0.1:{client_port}"
    return {
        "data-dir": str(folder),
        "listen-client-urls": url,
        "advertise-client-urls": url,
        "listen-peer-urls": f"http://127.0.0.1:{peer_port}",
        "unsafe-no-fsync": "true",
    }


def api_server_flags(folder: Path, etcd_port: int, port: int) -> dict[str, str]:
    """kube-apiserver on loopback, with the files that `pki` wrote to ``folder``.

    The ServiceAccount plugin is off: it would refuse Pods until a controller, which does not run here, made the accounts.
    """
    return {
        "advertise-address": "127.0.0.1",  # without it the server looks for a default route, and needs a network
        "allow-privileged": "true",
        "authorization-mode": "RBAC",
        "bind-address": "127.0.0.1",
        "cert-dir": str(folder),
        "client-ca-file": str(folder / "ca.crt"),
        "disable-admission-plugins": "ServiceAccount",
        "etcd-servers": f"http://127.0.0.1:{etcd_port}",
        "secure-port": str(port),
        "service-account-issuer": "https://kubernetes.default.svc.cluster.local",
        "service-account-key-file": str(folder / "sa.pub"),
        "service-account-signing-key-file": str(folder / "sa.key"),
        "service-cluster-ip-range": "10.0.0.0/24",
        "tls-cert-file": str(folder / "apiserver.crt"),
        "tls-private-key-file": str(folder / "apiserver.key"),
    }
