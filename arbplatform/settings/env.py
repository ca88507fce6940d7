"""Reads the environment: the only module that does."""

import os
import secrets
import sys
from pathlib import Path
from typing import Any

import environ
from cryptography.fernet import Fernet
from django.core.exceptions import ImproperlyConfigured

from arbplatform.core.ids import new_install_id
from arbplatform.core.languages import CHINESE, find_language

BASE_DIR = Path(__file__).resolve().parent.parent.parent


class Environment(environ.Env):  # type: ignore[misc]  # it has no types
    """Names the variable that cannot be read, but not its text, which may be a secret."""

    def get_value(self, var: Any, *args: Any, **kwargs: Any) -> Any:
        """Return the value of a variable.

        Raises:
            ImproperlyConfigured: it is missing, or is not of its type.
        """
        try:
            return super().get_value(var, *args, **kwargs)
        except ValueError:
            raise ImproperlyConfigured(f"{var} cannot be read: it has the wrong form.") from None


env = Environment()
env.escape_proxy = True
if (BASE_DIR / ".env").is_file():
    env.read_env(BASE_DIR / ".env")

DATA_DIR = Path(env.str("ARB_DATA_DIR", default=str(BASE_DIR / "var"))).resolve()

SECRETS_FILE = "secrets.env"
SECRETS = ("SECRET_KEY", "FIELD_ENCRYPTION_KEYS", "ARB_INSTALL_ID")


def terminal_language() -> str:
    """Return the language of the terminal, as Django calls it."""
    return "zh-hans" if find_language(os.environ) == CHINESE else "en"


def missing_secrets() -> list[str]:
    """Return the names of the secrets that the environment does not hold."""
    return [name for name in SECRETS if not env.str(name, default="")]


def require_secrets() -> None:
    """Refuse settings without secrets, all that are missing in one sentence.

    Raises:
        ImproperlyConfigured: some are missing.
    """
    if names := missing_secrets():
        raise ImproperlyConfigured(
            f"{', '.join(names)} must be set in the environment. "
            "`python -m arbplatform.settings.env` prints new ones."
        )


def new_secrets() -> str:
    """Return new secrets as the lines of an environment file."""
    values = (secrets.token_urlsafe(50), Fernet.generate_key().decode(), new_install_id())
    return "".join(f"{name}={value}\n" for name, value in zip(SECRETS, values, strict=True))


def ensure_local_secrets(data_dir: Path) -> Path:
    """Make the file that holds this installation's generated secrets, unless it exists.

    Used by the first-run settings only; in production every secret comes from the environment.

    Args:
        data_dir: the data directory, made if missing.

    Returns:
        The file's path, readable by its owner only.
    """
    path = data_dir / SECRETS_FILE
    if path.exists():
        return path
    data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    draft = path.with_name(f".{SECRETS_FILE}.{os.getpid()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(new_secrets())
        file.flush()
        os.fsync(file.fileno())
    try:
        os.link(draft, path)  # never replaces the keys that another process has just made
    except FileExistsError:
        pass
    finally:
        draft.unlink()
    return path


if __name__ == "__main__":
    sys.stdout.write(new_secrets())
