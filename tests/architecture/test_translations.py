"""Every text that a person may read is there in both languages."""

import polib
import pytest
from django.utils import translation
from django.utils.translation import gettext

from arbplatform.management import catalogue
from arbplatform.management.extraction import Text, find_script_texts, find_texts

TERMS_OF_THE_FIELD = {"API", "API key", "API secret", "HTTP Accept", "User Agent", "passphrase"}
"""What Chinese users of exchanges read in English too."""


GATHER = {catalogue.PAGES: catalogue.gather, catalogue.SCRIPTS: catalogue.gather_for_scripts}


@pytest.fixture(scope="module", params=GATHER)
def domain(request):
    return request.param


@pytest.fixture(scope="module")
def stored(domain):
    return catalogue.load(domain)


def test_every_text_of_the_source_is_in_the_catalogue_and_nothing_else(domain, stored):
    gathered = {(text.context, text.singular) for text in GATHER[domain]()}
    known = {(entry.msgctxt or "", entry.msgid) for entry in stored}

    assert sorted(gathered - known) == [], "run manage.py messages"
    assert sorted(known - gathered) == [], "run manage.py messages"


def test_every_text_is_translated_with_the_same_placeholders(stored):
    assert catalogue.find_flaws(stored) == []


def test_the_compiled_catalogue_is_current(domain, stored):
    compiled = (catalogue.PATH / f"{domain}.mo").read_bytes()

    assert compiled == catalogue.compile_catalogue(stored), "run manage.py messages"


def test_chinese_texts_are_chinese(stored):
    latin = {
        entry.msgid
        for entry in stored
        for text in list(entry.msgstr_plural.values()) or [entry.msgstr]
        if text.isascii()
    }

    assert latin - TERMS_OF_THE_FIELD == set()


def test_the_catalogue_is_what_django_shows():
    with translation.override("zh-hans"):
        assert gettext("Overview") == "总览"
    with translation.override("en"):
        assert gettext("Overview") == "Overview"


def test_scripts_are_translated_too(console):
    script = console.get("/admin/jsi18n/", HTTP_ACCEPT_LANGUAGE="zh-hans").content.decode()

    assert r"\u70b9\u51fb\u6e05\u9664" in script


def test_texts_of_scripts_are_found(tmp_path):
    (tmp_path / "a.js").write_text("gettext('one'); ngettext('two', 'twos', n); other('three')")
    (tmp_path / "b.min.js").write_text("gettext('four')")

    assert find_script_texts(tmp_path) == {Text("one"): {"a.js"}, Text("two", "twos"): {"a.js"}}


def test_flaws_are_found():
    bad = polib.POFile()
    bad.append(polib.POEntry(msgid="No {a}", msgstr="没有"))
    bad.append(polib.POEntry(msgid="No b", msgstr=""))
    bad.append(polib.POEntry(msgid="No %(c)s", msgstr="没有 %(c)s", flags=["fuzzy"]))

    complaints = [(flaw.text, flaw.complaint) for flaw in catalogue.find_flaws(bad)]

    assert complaints == [
        ("No {a}", "has other placeholders: 没有"),
        ("No b", "has no translation"),
        ("No %(c)s", "is fuzzy"),
    ]


def test_merging_keeps_translations_drops_what_is_gone_and_adds_what_is_new():
    merged = polib.POFile()
    merged.append(polib.POEntry(msgid="kept", msgstr="保留"))
    merged.append(polib.POEntry(msgid="gone", msgstr="消失"))

    catalogue.merge(merged, {Text("kept"): {"a.py"}, Text("{n} new", "{n} news"): {"b.py"}})

    assert [(entry.msgid, entry.msgstr) for entry in merged] == [("kept", "保留"), ("{n} new", "")]
    assert merged[1].msgstr_plural == {0: ""}
    assert merged[1].flags == ["python-brace-format"]


SOURCE = """
from x import gettext_lazy as _, ngettext, pgettext
class Refused(ArbError):
    summary = "A summary."
class Plugin:
    title: ClassVar[str] = "A title"
    other = "not a text"
_("plain")
ngettext("one", "many", n)
pgettext("menu", "open")
Message("a message" if x else "another message")
raise Refused("refused {a}" " in two parts", a=1)
Field(title="field title", description="field text", default="not a text")
write_log(template="log {b}", event="not-a-text")
NAMED = "a named text"
TABLE: dict[str, str] = {"x": "a text in a table", "y": NAMED}
Message(NAMED)
Message(TABLE[code], {})
f(_(variable), Other("not a text"), Message("{a}: {b}"))
"""


def test_texts_are_found_wherever_they_may_stand(tmp_path):
    (tmp_path / "app" / "templates").mkdir(parents=True)
    (tmp_path / "app" / "migrations").mkdir()
    (tmp_path / "app" / "a.py").write_text(SOURCE)
    (tmp_path / "app" / "migrations" / "b.py").write_text('_("not a text")')
    (tmp_path / "app" / "templates" / "t.html").write_text(
        '{% load i18n %}<p>\n  {% translate "in a tag" %}\n'
        "{% blocktranslate trimmed count n=n %}one {{ n }}{% plural %}many {{ n }}"
        '{% endblocktranslate %}{% include "x" with y=_("in an argument") %}'
    )

    found = find_texts(tmp_path, ["app"], frozenset({"Refused"}))

    assert set(found) == {
        Text("A summary."),
        Text("A title"),
        Text("plain"),
        Text("one", "many"),
        Text("open", context="menu"),
        Text("a message"),
        Text("another message"),
        Text("refused {a} in two parts"),
        Text("field title"),
        Text("field text"),
        Text("log {b}"),
        Text("a named text"),
        Text("a text in a table"),
        Text("in a tag"),
        Text("one %(n)s", "many %(n)s"),
        Text("in an argument"),
    }
    assert found[Text("plain")] == {"app/a.py"}
