"""What is shown: whole texts against golden files, drawings that are well formed, a page that needs nothing else.

`VOXFIELD_GOLDEN=write` in the environment writes the golden files anew; look at the difference before keeping it.
"""

import json
import os
import xml.etree.ElementTree as ElementTree
from html.parser import HTMLParser
from pathlib import Path

import pytest

from voxfield.explain import report_on
from voxfield.explain.render import comparison_text, cone, costs, page, report_text
from voxfield.explain.render.table import width, wrapped

GOLDEN = Path(__file__).with_name("golden")
WAV2VEC = "10/5 8/4 4/2 4/2 4/2"
CRN = "\n".join(f"layers.Conv2D({n}, (2, 3), strides=(1, 2), padding='same')" for n in (16, 32, 64))
MIXED = """
x = layers.Input((80, 8), name='features')
x = layers.Conv1D(16, 3, padding='causal', name='<&"conv">')(x)
y = layers.Bidirectional(layers.LSTM(8, return_sequences=True), name='memory')(x)
y = layers.Dense(4, activation='softmax')(y)
"""
CASES = {
    "wav2vec": (WAV2VEC, "en", {"rate_hz": 16000, "edits": ["layer2.stride=2", "causal"]}),
    "wav2vec-zh": (WAV2VEC, "zh", {"rate_hz": 16000, "edits": ["drop layer5"]}),
    "crn": (CRN, "en", {"rate_hz": 16000, "hop_samples": 160, "window_samples": 320, "edits": ["layer2.filters=48"]}),
    "crn-zh": (CRN, "zh", {"rate_hz": 16000, "hop_samples": 160, "window_samples": 320}),
    "mixed": (MIXED, "en", {"edits": ["memory.bidirectional=false"]}),
    "updown": ("4/2@8 ^4/2@8", "en", {"input_shape": (1, 64), "edits": ["layer1=depthwise-separable"]}),
}


def answer(name):
    what, language, options = CASES[name]
    return report_on(what, language=language, **options), language


@pytest.mark.parametrize("name", CASES)
def test_texts_are_the_golden_ones(name):
    found, language = answer(name)
    text = report_text(found.report, found.graph, found.paragraphs, language=language, frames=found.frames)
    text = "\n\n".join([text, *(comparison_text(change, language) for change in found.changes)]) + "\n"
    path = GOLDEN / f"{name}.txt"
    if os.environ.get("VOXFIELD_GOLDEN") == "write":
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8")


@pytest.mark.parametrize("name", CASES)
def test_drawings_are_well_formed_and_stay_inside(name):
    found, language = answer(name)
    axes = [field.axis for field in found.report.fields]
    drawings = [cone(found.report, found.graph, language=language, axis=axis) for axis in axes]
    for text in [*drawings, costs(found.report, found.graph, language=language)]:
        root = ElementTree.fromstring(text)
        _, _, wide, high = map(float, root.attrib["viewBox"].split())
        for rect in root.iter("{http://www.w3.org/2000/svg}rect"):
            if "x" in rect.attrib:
                x, y, w, h = (float(rect.attrib[k]) for k in ("x", "y", "width", "height"))
                assert x >= 0
                assert y >= 0
                assert x + w <= wide + 1e-6
                assert y + h <= high + 1e-6


def test_the_cone_is_as_wide_as_the_fields():
    found, _ = answer("wav2vec")
    root = ElementTree.fromstring(cone(found.report, found.graph))
    points = root.find("{http://www.w3.org/2000/svg}polygon").attrib["points"].split()
    xs = [float(point.split(",")[0]) for point in points]
    ends = xs[::-1][: len(found.report.layers)]
    widths = [end - start for start, end in zip(xs[: len(ends)], ends, strict=True)]
    fields = [layer.field("time").rf for layer in found.report.layers]
    assert [w / widths[-1] for w in widths] == pytest.approx([f / fields[-1] for f in fields], abs=2e-3)


class Links(HTMLParser):
    def __init__(self):
        super().__init__()
        self.outside, self.tags = [], []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.outside += [v for k, v in attrs if k in {"src", "href", "data", "action"} and v]


@pytest.mark.parametrize("name", CASES)
def test_the_page_needs_nothing_else_and_escapes_names(name):
    found, language = answer(name)
    text = page(found.report, found.graph, found.paragraphs, found.changes, language=language, frames=found.frames)
    links = Links()
    links.feed(text)
    assert links.outside == []
    assert "script" not in links.tags
    assert '<&"conv">' not in text
    for paragraph in found.paragraphs:
        assert paragraph.question in text
    assert text.count("<svg") == len({(f.hop, f.phases, f.in_size) for f in found.report.fields}) + 1


def test_json_holds_everything():
    found, _ = answer("crn")
    data = json.loads(json.dumps(found.to_dict()))
    assert data["fields"][0]["rf"] == 4
    assert data["words"][0]["question"].startswith("Why this kernel")
    assert data["what_if"][0]["changes"]


def test_wide_characters_count_double_and_lines_break_between_them():
    assert width("ab") == 2
    assert width("时间") == 4
    lines = wrapped("时间轴上每个输出都能看到很多个采样点，" * 12)
    assert len(lines) > 2
    assert all(width(line) <= 112 for line in lines)
    assert not any(line.strip().startswith("，") for line in lines)


def test_nothing_unknown_is_shown_as_zero():
    found = report_on("10/5 8/4")
    text = report_text(found.report, found.graph)
    assert "unavailable" in text
    assert " 0 " not in text.split("costs")[1]
