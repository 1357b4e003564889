"""Cards survive JSON and TOML, refuse what contradicts itself, and the registry verifies every byte."""

import contextlib
import json
import tomllib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from voxfield.cards import Card, FileRecord, cards, example_card, file_record, find, resolve, samples, verify
from voxfield.errors import CardError, IntegrityError, UnknownModelError

FULL = example_card(
    config={"channels": (16, 32), "mask": {"kind": "complex", "bound": 2.0}, "name": 'a "quoted" 名字', "none": None},
    states=[("h.0", (1, 2, 3)), ("h.1", (1, 4))],
    data=("speech, CC0",),
    measured={"valid": {"pesq_wb": 1.9}},
    file=FileRecord("crn-doc.v1.onnx", "0f" * 32, 123),
)


def test_json_and_toml_give_the_card_back():
    assert Card.from_json(FULL.to_json()) == FULL
    assert Card.from_dict(tomllib.loads(FULL.to_toml())["model"][0]) == FULL


def test_derived_figures():
    assert (FULL.short_name, FULL.tag, FULL.state_floats) == ("crn-doc", "v1", 10)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"name": "crn small"}, "name"),
        ({"name": "crn-small"}, "architecture-variant.tag"),
        ({"interface": "spectrum"}, "interface"),
        ({"macs": 1.5}, "macs"),
        ({"field_samples": "a lot"}, "field_samples"),
        ({"interface": samples(16000, 8, None, 1, 1, "it looks ahead"), "states": [("h", (1, 2))]}, "states"),
        ({"states": [("h", (1, 0))]}, "states"),
        ({"states": [("h", (1,)), ("h", (1,))]}, "states"),
        ({"states": [("h h", (1,))]}, "states"),
        ({"config": {"x": float("nan")}}, "finite"),
        ({"config": {"x": object()}}, "config.x"),
        ({"file": FileRecord("../x.onnx", "0" * 64, 1)}, "file"),
        ({"file": FileRecord("x.onnx", "0" * 63, 1)}, "file"),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else "",
)
def test_contradictions_are_refused(changes, message):
    with pytest.raises(CardError, match=message):
        example_card(**changes)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda values: values | {"licens": "MIT"}, "nearest known is 'licence'"),
        (lambda values: {key: item for key, item in values.items() if key != "task"}, "lacks 'task'"),
        (lambda values: values | {"states": [{"name": "h"}]}, "'states' on a card must hold name, shape"),
        (lambda values: values | {"states": 3}, "must be a list"),
        (lambda values: values | {"file": {"name": "x"}}, "'file' on a card must hold"),
    ],
    ids=["unknown-key", "missing-key", "half-a-state", "states-no-list", "half-a-file"],
)
def test_tables_that_are_no_card(change, message):
    with pytest.raises(CardError, match=message):
        Card.from_dict(change(FULL.to_dict()))


@pytest.mark.parametrize("text", ["", "[]", "3", '"x"', "{", "null"])
def test_json_that_is_no_card(text):
    with pytest.raises(CardError):
        Card.from_json(text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[" * 100_000, "nested"),
        ('{"config": ' * 200 + "1" + "}" * 200, "more than 32 levels"),
        ('{"parameters": ' + "9" * 5000 + "}", "a number of 5000 digits"),
        ('{"parameters": ' + "9" * 4000 + "}", "a number of 4000 digits"),
    ],
    ids=["brackets", "levels", "5000-digits", "4000-digits"],
)
def test_json_that_exhausts_its_reader(text, message):
    with pytest.raises(CardError, match=message):
        Card.from_json(text)


@pytest.mark.parametrize("character", ["\x1b", "\r", "\x7f", "\x9b", "\u202e", "\u2066", "\ud800"], ids=ascii)
@pytest.mark.parametrize("where", ["value", "list", "key"])
def test_json_that_would_steer_a_terminal(character, where):
    text = f"red{character}[31m"
    change = {"value": {"summary": text}, "list": {"data": [text]}, "key": {"config": {text: 1}}}[where]
    with pytest.raises(CardError, match="must not hold the control character") as caught:
        Card.from_json(json.dumps(FULL.to_dict() | change))
    assert character not in str(caught.value)


def test_text_in_any_language_is_no_steering():
    card = example_card(summary="名字　é 🎧\u200d\n\tשלום", data=("a\u00a0b",))
    assert Card.from_json(card.to_json()) == card


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@settings(max_examples=500)
@given(st.data(), VALUES)
def test_any_value_in_any_place_gives_a_card_or_a_card_error(data, value):
    whole = {"root": json.loads(FULL.to_json())}
    table, key = whole, "root"
    while isinstance(table[key], dict | list) and table[key] and (key == "root" or data.draw(st.booleans())):
        table = table[key]
        key = data.draw(st.sampled_from(sorted(table) if isinstance(table, dict) else range(len(table))))
    table[key] = value
    with contextlib.suppress(CardError):
        assert Card.from_json(json.dumps(whole["root"])).to_toml()


@pytest.fixture
def shelf(tmp_path):
    """A registry of three cards, one of them in two tags, with their files."""
    tables = []
    for name in ("crn-doc.v2", "crn-doc.v10", "tas-net.v1"):
        (tmp_path / f"{name}.onnx").write_bytes(name.encode())
        card = example_card(name=name, file=file_record(tmp_path / f"{name}.onnx"))
        tables.append(card.to_toml())
    (tmp_path / "models.toml").write_text("\n".join(tables), encoding="utf-8")
    return tmp_path


def test_names_find_their_file(shelf):
    registry = shelf / "models.toml"
    assert find("crn-doc", registry).name == "crn-doc.v10"  # 10 is newer than 2
    assert find("crn-doc.v2", registry).name == "crn-doc.v2"
    card, path = resolve("tas-net", registry, shelf)
    assert (card.name, path) == ("tas-net.v1", shelf / "tas-net.v1.onnx")
    assert resolve(shelf / "tas-net.v1.onnx") == (None, shelf / "tas-net.v1.onnx")


def test_unknown_names_offer_the_nearest(shelf):
    with pytest.raises(UnknownModelError, match="did you mean crn-doc"):
        find("crn-dox", shelf / "models.toml")
    with pytest.raises(UnknownModelError, match="did you mean crn-doc"):
        find("CRN-DOC", shelf / "models.toml")
    with pytest.raises(UnknownModelError, match=r"known are crn-doc, crn-doc\.v10"):
        find("whisper", shelf / "models.toml")
    with pytest.raises(UnknownModelError, match="does not exist"):
        resolve(shelf / "none.onnx")


def test_a_file_that_was_changed_is_refused(shelf):
    (shelf / "tas-net.v1.onnx").write_bytes(b"tas-net.v2")
    with pytest.raises(IntegrityError, match="are not the published ones"):
        resolve("tas-net", shelf / "models.toml", shelf)
    (shelf / "tas-net.v1.onnx").unlink()
    with pytest.raises(IntegrityError, match="cannot be read"):
        resolve("tas-net", shelf / "models.toml", shelf)


@pytest.mark.parametrize(
    "model", ["~nobody-of-this-name/x.onnx", "x" * 5000 + ".onnx", "a\0b.onnx"], ids=lambda m: m[:9]
)
def test_paths_that_no_system_has(model):
    with pytest.raises(UnknownModelError, match="does not exist"):
        resolve(model)


def test_a_registry_that_changes_is_read_again(shelf):
    registry = shelf / "models.toml"
    assert len(cards(registry)) == 3
    registry.write_text(registry.read_text() + example_card(file=FileRecord("x.onnx", "0" * 64, 1)).to_toml())
    assert len(cards(registry)) == 4


def test_registries_that_do_not_hold(shelf):
    text = (shelf / "models.toml").read_text()
    for name, content, message in [
        ("twice.toml", text + text, "more than once"),
        ("loose.toml", example_card().to_toml(), "no file"),
        ("broken.toml", "[[model]", "cannot be read"),
    ]:
        (shelf / name).write_text(content)
        with pytest.raises(CardError, match=message):
            cards(shelf / name)


def test_the_published_registry_holds():
    for card in cards():
        found, path = resolve(card.name)
        assert found == card and card.file is not None
        verify(path, card.file)
