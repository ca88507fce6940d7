"""Settings of a first run: embedded defaults, secrets generated into the data directory."""

from arbplatform.settings.env import DATA_DIR, ensure_local_secrets, env

env.read_env(ensure_local_secrets(DATA_DIR))

from arbplatform.settings.base import *  # noqa: E402, F403
