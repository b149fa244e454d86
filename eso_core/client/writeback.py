"""Renewed OIDC tokens back into the kubeconfig file, as kubectl does it; only where that was asked for."""

from __future__ import annotations

import os
import tempfile
import time
from pathlib import Path
from typing import Any

import yaml

from eso_core.meta.errors import ConfigError

__all__ = ["KubeconfigTokens"]

#: kubectl leaves a lock file beside the kubeconfig; one that is older than this was left by a process that died.
_STALE_LOCK = 60.0
_LOCK_WAIT = 5.0


class KubeconfigTokens:
    """The `auth-provider` section of one user in one file.

    Args:
        path: the file that defines the user.
        user: its name there.
    """

    def __init__(self, path: Path, user: str) -> None:
        self.path = path
        self.user = user

    def write(self, id_token: str, refresh_token: str) -> None:
        """Puts new tokens in place of the old ones; everything else stays. Blocks: call it in a thread.

        Raises:
            ConfigError: the file cannot be changed, or has no such user any more. Nothing was changed then.
        """
        doing = f"writing renewed OIDC tokens to {self.path}"
        try:
            lock = self._lock()
        except OSError as exc:
            raise ConfigError(f"{doing}: {exc.strerror or exc}: check that its folder can be written") from exc
        try:
            document: Any = yaml.safe_load(self.path.read_text("utf-8"))
            config = self._section(document)
            if config is None:
                raise ConfigError(f"{doing}: user {self.user!r} has no auth-provider there any more")
            config["id-token"] = id_token
            config["refresh-token"] = refresh_token
            self._replace(yaml.safe_dump(document, sort_keys=False))
        except (OSError, UnicodeDecodeError) as exc:
            raise ConfigError(f"{doing}: {exc}: check the file") from exc
        except yaml.YAMLError:
            raise ConfigError(f"{doing}: it is no valid YAML") from None
        finally:
            lock.unlink(missing_ok=True)

    def _section(self, document: Any) -> dict[str, Any] | None:
        for entry in (document or {}).get("users") or ():
            if entry.get("name") == self.user:
                config: dict[str, Any] | None = ((entry.get("user") or {}).get("auth-provider") or {}).get("config")
                return config
        return None

    def _lock(self) -> Path:
        lock = self.path.with_name(self.path.name + ".lock")
        ends = time.monotonic() + _LOCK_WAIT
        while True:
            try:
                os.close(os.open(lock, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
                return lock
            except FileExistsError:
                if _age(lock) > _STALE_LOCK:
                    lock.unlink(missing_ok=True)
                elif time.monotonic() > ends:
                    raise
                else:
                    time.sleep(0.05)

    def _replace(self, text: str) -> None:
        """In one step, so that no reader sees half a file, and with the mode that the file has."""
        target = self.path.resolve()  # a link stays a link
        mode = target.stat().st_mode & 0o777
        descriptor, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                file.write(text)
                os.fchmod(file.fileno(), mode)
            os.replace(name, target)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise


def _age(path: Path) -> float:
    try:
        return time.time() - path.stat().st_mtime
    except FileNotFoundError:
        return 0.0
