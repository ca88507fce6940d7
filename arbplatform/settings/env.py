"""Reads the environment: the only module that does."""

import os
import secrets
from pathlib import Path

import environ
from cryptography.fernet import Fernet

from arbplatform.core.ids import new_install_id

BASE_DIR = Path(__file__).resolve().parent.parent.parent

env = environ.Env()
env.escape_proxy = True
if (BASE_DIR / ".env").is_file():
    env.read_env(BASE_DIR / ".env")

DATA_DIR = Path(env.str("ARB_DATA_DIR", default=str(BASE_DIR / "var"))).resolve()

SECRETS_FILE = "secrets.env"


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
    lines = {
        "SECRET_KEY": secrets.token_urlsafe(50),
        "FIELD_ENCRYPTION_KEYS": Fernet.generate_key().decode(),
        "ARB_INSTALL_ID": new_install_id(),
    }
    text = "".join(f"{name}={value}\n" for name, value in lines.items())
    draft = path.with_name(f".{SECRETS_FILE}.{os.getpid()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    try:
        os.link(draft, path)  # never replaces the keys that another process has just made
    except FileExistsError:
        pass
    finally:
        draft.unlink()
    return path
