"""Where secrets come from.

A secret has a name, as ``postgresql_password``. It is looked for in the environment variable
``CKAN_DEPLOY_SECRET_POSTGRESQL_PASSWORD``, then in the file of that name in the environment's secrets folder. The
lab makes those that are missing; elsewhere a missing one stops the run.
"""

from __future__ import annotations

import os
import secrets
import stat
from pathlib import Path

from settings.secret import Secret


class SecretStore:
    """The secrets of one environment.

    + folder: holds one file per secret, readable by its owner only
    + generate: make a secret that is missing, once (lab and demo)
    """

    def __init__(self, folder: Path, *, generate: bool = False) -> None:
        self.folder = folder
        self.generate = generate
        self.problems: list[str] = []

    def get(self, name: str) -> Secret | None:
        """Return the secret NAME; None, and a sentence in ``problems``, when it is missing or not private."""
        variable = f"CKAN_DEPLOY_SECRET_{name.upper()}"
        path = self.folder / name
        if value := os.environ.get(variable):
            return self._one_line(name, value, f"the environment variable {variable}")
        if self.generate and not path.exists():
            self._generate(path)
        try:
            mode = path.stat().st_mode
            value = path.read_text().rstrip("\n")
        except FileNotFoundError:
            self.problems.append(
                f"the secret {name} is missing: set the environment variable {variable}, "
                f"or write it to {path} (mode 0600)"
            )
            return None
        except OSError as error:
            self.problems.append(f"the secret {name} cannot be read from {path}: {error.strerror}")
            return None
        if stat.S_IMODE(mode) & 0o077:
            self.problems.append(f"the secret {name} is readable by others: chmod 600 {path}")
            return None
        return self._one_line(name, value, str(path))

    def _one_line(self, name: str, value: str, place: str) -> Secret | None:
        if not value.strip() or "\n" in value:
            self.problems.append(f"the secret {name} in {place} must be one line that is not empty")
            return None
        return Secret(value)  # type: ignore[no-untyped-call]

    def _generate(self, path: Path) -> None:
        """Write 32 random bytes, as text; of two runs at once one wins and both read its secret."""
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        new = path.with_name(f".{path.name}.{os.getpid()}")
        with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(secrets.token_urlsafe(32) + "\n")
        try:
            os.link(new, path)
        except FileExistsError:
            pass
        finally:
            new.unlink()
