"""The translation catalogues: gathered, merged and compiled without GNU gettext.

One holds our own texts and those of the packages in the console that come without Chinese, a small
one the texts that scripts of the console show.
"""

import gettext
import importlib.util
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

import polib
from django.conf import settings

from arbplatform.management.error_codes import all_errors
from arbplatform.management.extraction import Text, find_script_texts, find_texts

OWN_PACKAGES: Final = ("arbplatform", "markets", "accounts", "ledger", "strategies")
FOREIGN_PACKAGES: Final = (
    "unfold",
    "axes",
    "knox",
    "django_celery_beat",
    "django_filters",
)
LEFT_OUT: Final = (
    "unfold/contrib/constance/",
    "unfold/contrib/guardian/",
    "unfold/contrib/import_export/",
    "unfold/contrib/location_field/",
    "unfold/contrib/simple_history/",
    "unfold/templates/unfold_crispy/",
    "axes/checks.py",
    "django_celery_beat/management/",
)
"""Parts of those packages that are not installed or never shown."""

PAGES: Final = "django"
SCRIPTS: Final = "djangojs"
LANGUAGE: Final = "zh_Hans"
PATH: Final = Path(settings.BASE_DIR) / "arbplatform" / "locale" / LANGUAGE / "LC_MESSAGES"
TRANSLATED_ELSEWHERE: Final = (
    "django",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.humanize",
    "rest_framework",
    *FOREIGN_PACKAGES,
)

_BRACES: Final = re.compile(r"\{[^{}]*\}")
_PERCENT: Final = re.compile(r"%(?:\([^)]*\))?[sdf]")

Key = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Flaw:
    """Something that is wrong with an entry.

    Attributes:
        text: the English text.
        complaint: what is wrong.
    """

    text: str
    complaint: str


def gather() -> dict[Text, set[str]]:
    """Return every text that the catalogue has to hold, with the files it stands in."""
    names = frozenset(error.__name__ for error in all_errors())
    texts = find_texts(Path(settings.BASE_DIR), OWN_PACKAGES, names)
    for package in FOREIGN_PACKAGES:
        root = _root_of(package).parent
        for text, files in find_texts(root, [package], frozenset()).items():
            shown = {file for file in files if not file.startswith(LEFT_OUT)}
            if shown and not is_translated_elsewhere(text):
                texts.setdefault(text, set()).update(shown)
    return texts


def gather_for_scripts() -> dict[Text, set[str]]:
    """Return the texts in the scripts of Django's admin that Django has no Chinese for."""
    root = _root_of("django.contrib.admin")
    known = _read_compiled(root / "locale" / LANGUAGE / "LC_MESSAGES" / f"{SCRIPTS}.mo")
    scripts = root / "static" / "admin" / "js"
    return {
        text: {f"django/contrib/admin/static/admin/js/{file}" for file in files}
        for text, files in find_script_texts(scripts).items()
        if not _is_in(known, text)
    }


def merge(catalogue: polib.POFile, texts: Mapping[Text, set[str]]) -> None:
    """Bring ``catalogue`` up to ``texts``; translations of texts that stay are kept."""
    known = {_key(entry): entry for entry in catalogue}
    del catalogue[:]
    for text in sorted(texts):
        entry = known.get((text.context, text.singular)) or polib.POEntry(msgid=text.singular)
        _describe(entry, text, sorted(texts[text]))
        catalogue.append(entry)


def _describe(entry: polib.POEntry, text: Text, files: list[str]) -> None:
    entry.msgctxt = text.context or None
    entry.msgid_plural = text.plural
    if text.plural and not entry.msgstr_plural:
        entry.msgstr_plural = {0: entry.msgstr}
        entry.msgstr = ""
    entry.occurrences = [(file, "") for file in files]
    entry.flags = [flag for flag in entry.flags if flag == "fuzzy"]
    if _PERCENT.search(text.singular):
        entry.flags.append("python-format")
    elif _BRACES.search(text.singular):
        entry.flags.append("python-brace-format")


def load(domain: str = PAGES) -> polib.POFile:
    """Return a catalogue as it is stored, or an empty one."""
    path = PATH / f"{domain}.po"
    if path.exists():
        return polib.pofile(str(path), wrapwidth=100)
    catalogue = polib.POFile(wrapwidth=100)
    catalogue.metadata = {
        "Project-Id-Version": "arbplatform",
        "Language": LANGUAGE,
        "MIME-Version": "1.0",
        "Content-Type": "text/plain; charset=UTF-8",
        "Content-Transfer-Encoding": "8bit",
        "Plural-Forms": "nplurals=1; plural=0;",
    }
    return catalogue


def save(catalogue: polib.POFile, domain: str = PAGES) -> None:
    """Store a catalogue, readable and compiled."""
    PATH.mkdir(parents=True, exist_ok=True)
    catalogue.save(str(PATH / f"{domain}.po"))
    (PATH / f"{domain}.mo").write_bytes(compile_catalogue(catalogue))


def compile_catalogue(catalogue: polib.POFile) -> bytes:
    """Return the compiled form, which Django reads."""
    return bytes(catalogue.to_binary())


def find_flaws(catalogue: Iterable[polib.POEntry]) -> list[Flaw]:
    """Return what is missing or wrong: no translation, fuzzy, placeholders that differ."""
    flaws = []
    for entry in catalogue:
        translations = list(entry.msgstr_plural.values()) or [entry.msgstr]
        if entry.fuzzy:
            flaws.append(Flaw(entry.msgid, "is fuzzy"))
        if not all(translations):
            flaws.append(Flaw(entry.msgid, "has no translation"))
            continue
        english = entry.msgid_plural or entry.msgid
        flaws.extend(
            Flaw(entry.msgid, f"has other placeholders: {translation}")
            for translation in translations
            if _placeholders(english) != _placeholders(translation)
        )
    return flaws


def _placeholders(text: str) -> list[str]:
    return sorted(_BRACES.findall(text) + _PERCENT.findall(text))


def _key(entry: polib.POEntry) -> Key:
    return (entry.msgctxt or "", entry.msgid)


def is_translated_elsewhere(text: Text) -> bool:
    """Return whether Django or a package brings a Chinese translation of ``text`` along."""
    return any(_is_in(known, text) for known in _foreign_translations())


def _is_in(known: Mapping[object, str], text: Text) -> bool:
    key = f"{text.context}\x04{text.singular}" if text.context else text.singular
    return key in known or (key, 0) in known


@cache
def _foreign_translations() -> list[Mapping[object, str]]:
    paths = [
        locale / LANGUAGE / "LC_MESSAGES" / f"{PAGES}.mo"
        for root in map(_root_of, TRANSLATED_ELSEWHERE)
        for locale in (root / "conf" / "locale", root / "locale")
    ]
    return [_read_compiled(path) for path in paths if path.exists()]


def _read_compiled(path: Path) -> Mapping[object, str]:
    with path.open("rb") as file:
        translations = gettext.GNUTranslations(file)
    found: Mapping[object, str] = translations._catalog  # type: ignore[attr-defined]  # noqa: SLF001
    return found


def _root_of(package: str) -> Path:
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError(package)
    return Path(spec.origin).parent
