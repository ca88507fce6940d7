"""Runs every benchmark, one after the other: ``python -m benchmarks``.

Each is a script of its own that ends with 0 when it meets its target.
"""

import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
START = 'if __name__ == "__main__"'


def main() -> int:
    """Run them all and return 1 if any missed its target."""
    names = [
        path.stem
        for path in sorted(HERE.glob("*.py"))
        if path.stem != "__main__" and START in path.read_text(encoding="utf-8")
    ]
    missed = []
    for name in names:
        print(f"\n=== {name} ".ljust(80, "="), flush=True)
        if subprocess.run([sys.executable, "-m", f"benchmarks.{name}"], check=False).returncode:
            missed.append(name)
    print(f"\n{len(names) - len(missed)} of {len(names)} met their targets.")
    if missed:
        print("Missed: " + ", ".join(missed))
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
