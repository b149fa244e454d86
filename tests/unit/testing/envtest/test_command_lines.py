"""Which binaries are run, with which flags."""

from __future__ import annotations

from pathlib import Path

import pytest

from eso_core.testing.envtest.binaries import (
    EnvTestError,
    api_server_flags,
    command_line,
    etcd_flags,
    find_binaries,
)


def binary(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    return path


def test_all_come_from_one_folder(tmp_path: Path) -> None:
    """``KUBEBUILDER_ASSETS``; a folder given by the caller comes first; kubectl is optional."""
    for folder in ("a", "b"):
        binary(tmp_path / folder / "etcd")
        binary(tmp_path / folder / "kube-apiserver")
    binary(tmp_path / "b" / "kubectl")
    found = find_binaries(None, {"KUBEBUILDER_ASSETS": str(tmp_path / "a")})
    assert (found.etcd, found.kubectl) == (tmp_path / "a" / "etcd", None)
    found = find_binaries(tmp_path / "b", {"KUBEBUILDER_ASSETS": str(tmp_path / "a")})
    assert (found.api_server, found.kubectl) == (tmp_path / "b" / "kube-apiserver", tmp_path / "b" / "kubectl")


def test_each_can_be_named(tmp_path: Path) -> None:
    """``TEST_ASSET_*`` wins over the folder."""
    environ = {
        "KUBEBUILDER_ASSETS": str(tmp_path / "none"),
        "TEST_ASSET_ETCD": str(binary(tmp_path / "my-etcd")),
        "TEST_ASSET_KUBE_APISERVER": str(binary(tmp_path / "my-server")),
        "TEST_ASSET_KUBECTL": str(binary(tmp_path / "my-kubectl")),
    }
    found = find_binaries(None, environ)
    assert [found.etcd.name, found.api_server.name] == ["my-etcd", "my-server"]
    assert found.kubectl == tmp_path / "my-kubectl"


def test_a_missing_binary_is_named_with_what_to_do(tmp_path: Path) -> None:
    """Absent, and not executable."""
    with pytest.raises(EnvTestError, match=r"finding etcd: .*/etcd does not exist: install it .* KUBEBUILDER_ASSETS"):
        find_binaries(tmp_path, {})
    binary(tmp_path / "etcd")
    binary(tmp_path / "kube-apiserver").chmod(0o644)
    if not (tmp_path / "kube-apiserver").stat().st_mode & 0o111:
        with pytest.raises(EnvTestError, match=r"finding kube-apiserver: .* is not executable: chmod \+x it"):
            find_binaries(tmp_path, {})


def test_flags_are_changed_added_removed_and_repeated() -> None:
    """None removes a default, a list repeats a flag; the order is that of the names."""
    command = command_line(Path("/x/etcd"), {"b": "1", "c": "2"}, {"b": None, "a": ["x", "y"], "c": "3"})
    assert command == ["/x/etcd", "--a=x", "--a=y", "--c=3"]


def test_etcd_listens_on_loopback_and_does_not_sync(tmp_path: Path) -> None:
    """Client and peer ports of its own."""
    assert command_line(Path("etcd"), etcd_flags(tmp_path, 7001, 7002), {}) == [
        "etcd",
        "--advertise-client-urls=http://127.0.0.1:7001",
        f"--data-dir={tmp_path}",
        "--listen-client-urls=http://127.0.0.1:7001",
        "--listen-peer-urls=http://127.0.0.1:7002",
        "--unsafe-no-fsync=true",
    ]


def test_the_api_server_has_rbac_and_our_certificates() -> None:
    """Its flags, with the files of the environment's folder."""
    flags = api_server_flags(Path("/t"), 7001, 7003)
    assert flags["etcd-servers"] == "http://127.0.0.1:7001"
    assert (flags["bind-address"], flags["secure-port"]) == ("127.0.0.1", "7003")
    assert flags["authorization-mode"] == "RBAC"
    assert flags["service-cluster-ip-range"] == "10.0.0.0/24"
    assert flags["allow-privileged"] == "true"
    assert flags["disable-admission-plugins"] == "ServiceAccount"
    assert (flags["client-ca-file"], flags["tls-cert-file"]) == ("/t/ca.crt", "/t/apiserver.crt")
    assert (flags["service-account-key-file"], flags["service-account-signing-key-file"]) == ("/t/sa.pub", "/t/sa.key")
