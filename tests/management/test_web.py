import subprocess
import sys

from django.conf import settings

from arbplatform.management import stack
from arbplatform.management.preflight import SELF_SUFFICIENT


def test_the_web_server_does_not_start_before_what_the_checks_find_is_mended(tmp_path):
    environment = stack.StackOptions(tmp_path).environment("") | {
        "DJANGO_SETTINGS_MODULE": SELF_SUFFICIENT,
        "FIELD_ENCRYPTION_KEYS": "nonsense",
    }

    ended = subprocess.run(
        [sys.executable, "-m", "arbplatform.management.web", "0"],
        cwd=settings.BASE_DIR,
        env=environment,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )

    assert ended.returncode == 1
    assert "Key number 1 in FIELD_ENCRYPTION_KEYS is not a Fernet key." in ended.stderr
    assert "Traceback" not in ended.stderr
