"""Form fields are made from a type's schema."""

import pytest
from django import forms

from strategies.admin.forms import StructureField, WordsField, parameter_fields

SCHEMA = {
    "required": ["symbols", "kind"],
    "properties": {
        "symbols": {"type": "array", "items": {"type": "string"}, "title": "Symbols"},
        "kind": {"$ref": "#/$defs/Kind"},
        "is_fast": {"type": "boolean", "default": True, "description": "Whether it hurries."},
        "depth": {"type": "integer", "minimum": 1, "maximum": 9, "default": 3},
        "share": {"type": "string", "format": "decimal", "minimum": "0", "default": "0.5"},
        "limit": {"anyOf": [{"type": "number"}, {"type": "string"}, {"type": "null"}]},
        "weights": {"type": "object", "default": {"a": 1}},
    },
    "$defs": {"Kind": {"enum": ["taker", "maker"], "type": "string"}},
}


@pytest.fixture
def fields():
    return parameter_fields(SCHEMA, {"share": "0.25"})


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("symbols", WordsField),
        ("kind", forms.ChoiceField),
        ("is_fast", forms.BooleanField),
        ("depth", forms.IntegerField),
        ("share", forms.CharField),
        ("limit", forms.CharField),
        ("weights", StructureField),
    ],
)
def test_each_kind_of_parameter_has_its_field(fields, name, kind):
    assert type(fields["params__" + name]) is kind


def test_present_values_come_before_defaults(fields):
    assert fields["params__share"].initial == "0.25"
    assert fields["params__depth"].initial == 3
    assert fields["params__symbols"].initial is None


def test_what_is_required_is_so_but_a_switch_never_is(fields):
    required = {name for name, field in fields.items() if field.required}

    assert required == {"params__symbols", "params__kind"}


def test_the_help_says_meaning_bounds_and_default(fields):
    assert fields["params__depth"].help_text == "From 1 to 9. Default: 3."
    assert fields["params__share"].help_text == "At least 0. Default: 0.5."
    assert fields["params__is_fast"].help_text == "Whether it hurries. Default: True."
    assert fields["params__symbols"].help_text == "Several with commas between them."


def test_a_parameter_without_a_title_is_called_by_its_name(fields):
    assert fields["params__depth"].label == "depth"
    assert fields["params__symbols"].label == "Symbols"


@pytest.mark.parametrize(
    ("typed", "words"),
    [("BTC/USDT", ["BTC/USDT"]), ("a, b c,,d", ["a", "b", "c", "d"]), ("", []), (None, [])],
)
def test_words_are_typed_with_commas_or_spaces(typed, words):
    assert WordsField(required=False).clean(typed) == words


def test_words_are_shown_with_commas():
    assert WordsField().prepare_value(["a", "b"]) == "a, b"
    assert WordsField().prepare_value("as typed") == "as typed"


def test_a_structure_is_shown_as_indented_json_and_read_back():
    field = StructureField()

    assert field.prepare_value({"a": 1}) == '{\n  "a": 1\n}'
    assert field.prepare_value('{"a": ') == '{"a": '
    assert field.clean('{"a": 1}') == {"a": 1}


def test_a_choice_offers_what_the_schema_lists(fields):
    assert [value for value, _ in fields["params__kind"].choices] == ["taker", "maker"]
