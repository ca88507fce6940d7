"""``manage.py messages``: gather texts, keep translations, compile; no GNU gettext needed."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from arbplatform.management.catalogue import (
    PAGES,
    SCRIPTS,
    find_flaws,
    gather,
    gather_for_scripts,
    load,
    merge,
    save,
)


class Command(BaseCommand):
    """Brings arbplatform/locale up to date and says what is left to translate."""

    help = "Gather all texts into the catalogue and compile it (needs requirements-dev.txt)."
    requires_system_checks = ()

    def handle(self, *_args: Any, **_options: Any) -> None:
        """Write both files.

        Raises:
            CommandError: some texts are not translated yet; the files were written all the same.
        """
        flaws = []
        for domain, texts in ((PAGES, gather()), (SCRIPTS, gather_for_scripts())):
            catalogue = load(domain)
            merge(catalogue, texts)
            save(catalogue, domain)
            flaws += find_flaws(catalogue)
            self.stdout.write(f"{domain}: {len(catalogue)} texts.")
        for flaw in flaws:
            self.stderr.write(f"{flaw.text!r} {flaw.complaint}")
        if flaws:
            raise CommandError("Translate the texts above in arbplatform/locale, then run again.")
