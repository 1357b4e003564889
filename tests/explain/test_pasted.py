"""Text as people paste it: what is read in it, what is answered first, in English and Chinese.

`pasted.json` holds fragments of pages and questions. Their answers are in `golden/pasted-*.txt`, whose sentences were
read one by one; `VOXFIELD_GOLDEN=write` writes them anew. `questions.json` holds others with what is known of their
answers by hand: which question comes first, and its figure.
"""

import json
import os
from pathlib import Path

import pytest

from voxfield.errors import ExplainError
from voxfield.explain import report_on
from voxfield.explain.phrases import PHRASES
from voxfield.explain.render.rows import input_lines
from voxfield.explain.render.table import notes
from voxfield.explain.zh import translated

HERE = Path(__file__).parent
FRAGMENTS = {row["name"]: row["paste"] for row in json.loads((HERE / "pasted.json").read_text(encoding="utf-8"))}

QUESTIONS = json.loads((HERE / "questions.json").read_text(encoding="utf-8"))


def answer(paste: str, language: str) -> list[str]:
    """What a fragment says, without the tables."""
    try:
        found = report_on(paste, language=language)
    except ExplainError as error:
        return [f"error: {translated(str(error), language)}"]
    lines = [" ".join(row) for row in input_lines(found.report, found.graph, PHRASES[language])]
    lines += [f"{f.axis}: rf {f.rf} hop {f.hop} {f.in_size} -> {f.out_size}" for f in found.report.fields]
    lines.append(f"parameters {found.report.costs.params.value}")
    for paragraph in found.paragraphs:
        lines.append(f"{'* ' if paragraph.asked else '  '}{paragraph.question} {paragraph.answer}")
    return [*lines, *(f"- {note}" for note in notes(found.report, language))]


@pytest.mark.parametrize("language", ["en", "zh"])
def test_fragments_say_what_they_should(language):
    parts = [f"## {name}\n" + "\n".join(answer(paste, language)) for name, paste in FRAGMENTS.items()]
    text = "\n\n".join(parts) + "\n"
    path = HERE / "golden" / f"pasted-{language}.txt"
    if os.environ.get("VOXFIELD_GOLDEN") == "write":
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8")


@pytest.mark.parametrize("row", QUESTIONS, ids=[row["name"] for row in QUESTIONS])
def test_the_question_is_answered_first(row):
    found = report_on(row["paste"])
    first = found.paragraphs[0]
    assert (first.asked, first.key) == (True, row["key"])
    assert row["answer"] in first.answer
    unanswered = PHRASES["en"]["unanswered"]
    assert not [one.key for one in found.paragraphs if unanswered in one.answer]
    assert not [note for note in found.report.notes if translated(note, "zh") == note]


def test_two_stacks_stand_one_behind_the_other_and_what_is_made_elsewhere_is_named():
    encoder = "The encoder layers have kernel sizes (10, 8, 4, 4, 4) and strides (5, 4, 2, 2, 2)."
    context = "The context network has nine layers with kernel size three and stride one."
    field = report_on(f"{encoder} {context} The receptive field of the context network is 210 ms.").report.field("time")
    assert (field.rf, field.hop) == (3345, 160)
    with pytest.raises(ExplainError, match="it applies bottleneck, which is made elsewhere"):
        report_on("x = bottleneck(x, 64, stride=2, name='conv2_block1') 这里stride=2有什么用")
    loose = report_on("self.c = nn.Conv1d(80, 512, 5)\nself.b = Res2(512)\nself.fc = nn.Linear(1536, 192)")
    assert "Not known and left out: Res2(...)." in loose.report.notes and len(loose.report.layers) == 1


def test_a_resnet_whose_block_is_not_in_the_text_is_that_of_keras_applications():
    stack = "def stack1(x, filters, blocks, stride1=2, name=None):\n    x = block1(x, filters, stride=stride1)\n"
    stack += "    for i in range(2, blocks + 1):\n        x = block1(x, filters, conv_shortcut=False)\n    return x\n"
    for paste, missing, field in (
        (stack, "block1", 13),
        ("x = stack1(x, 64, 3, stride1=1)这行是什么意思", "stack1", 7),
    ):
        found = report_on(paste).report
        values = sum(k * k * a * b + b + 2 * b for k, a, b in ((1, 64, 64), (3, 64, 64), (1, 64, 256))) + 3 * 256
        again = sum(k * k * a * b + b + 2 * b for k, a, b in ((1, 256, 64), (3, 64, 64), (1, 64, 256)))
        assert found.costs.params.value == values + 64 * 256 + 2 * again
        assert [axis.rf for axis in found.fields] == [field, field]
        assert any(
            note.startswith(f"{missing} is not defined in the text: that of the ResNets") for note in found.notes
        )


def test_a_number_in_a_call_is_no_word_about_another():
    with pytest.raises(ExplainError, match="the name 'stride' is not defined"):
        report_on("a = nn.Conv1d(1, 16, 3, stride=2)\nb = nn.Conv1d(16, 32, 3, stride=stride)\ny = b(a(x))")


def test_what_a_text_compares_its_layers_with_is_left_out_and_said():
    found = report_on("nn.Conv2d(256, 64, 1) vs nn.Conv2d(256, 256, 3): which has fewer parameters?").report
    assert found.costs.params.value == 256 * 64 + 64
    assert any(
        note.startswith("Left out, as what the text compares with: nn.Conv2d(256, 256, 3).") for note in found.notes
    )
    printed = "lstm = nn.LSTM(257, 400)\nprint(sum(p.numel() for p in lstm.parameters()))"
    assert report_on(printed).report.costs.params.value == report_on("nn.LSTM(257, 400)").report.costs.params.value


def test_the_input_that_words_give_to_a_name_and_the_defaults_of_a_function_are_said():
    named = report_on("y = layers.Flatten()(pool)  # pool: (None, 7, 7, 8)\nz = layers.Dense(1)(y)").report
    assert named.costs.params.value == 7 * 7 * 8 + 1
    block = "def block(x, filters, stride=2):\n    return layers.Conv2D(filters, 3, strides=stride)(x)"
    assert "Left at their defaults: stride = 2." in report_on(block).report.notes


TORCHINFO = """
Net                                      [1, 10]                   --
├─Conv2d: 1-1                            [1, 16, 30, 30]           448
├─BatchNorm2d: 1-2                       [1, 16, 30, 30]           32
├─Sequential: 1-3                        [1, 16, 15, 15]           --
│    └─MaxPool2d: 2-1                    [1, 16, 15, 15]           --
├─Conv2d: 1-4                            [1, 32, 13, 13]           4,640
├─AdaptiveAvgPool2d: 1-5                 [1, 32, 1, 1]             --
├─Linear: 1-6                            [1, 10]                   330
"""
TORCHSUMMARY = """
            Conv2d-1           [-1, 64, 112, 112]           9,408
              ReLU-2           [-1, 64, 112, 112]               0
            Conv2d-3           [-1, 64, 112, 112]             576
            Conv2d-4          [-1, 128, 112, 112]           8,320
"""


def test_tables_of_torch_are_read():
    found = report_on(TORCHINFO).report
    assert (found.costs.params.value, found.input_shapes[0][1]) == (448 + 32 + 4640 + 330, (1, 3, 32, 32))
    assert [layer.windows[0].kernel for layer in found.layers if layer.windows] == [3, 2, 3]
    found = report_on(TORCHSUMMARY).report
    assert (found.costs.params.value, found.input_shapes[0][1]) == (9408 + 576 + 8320, (1, 3, 224, 224))
    assert [(one.windows[0].kernel, one.windows[0].stride, one.groups) for one in found.layers if one.windows] == [
        (7, 2, 1),
        (3, 1, 64),
        (1, 1, 1),
    ]
    with pytest.raises(ExplainError, match="the settings of LSTM do not follow"):
        report_on("Conv1d-1  [-1, 64, 100]  1,024\nLSTM-2  [-1, 100, 32]  12,544")


def test_the_shared_layers_of_cbam_are_those_of_its_paper_where_the_text_leaves_them_out():
    keras = "avg_pool = shared_layer_two(shared_layer_one(GlobalAveragePooling2D()(x)))\n"
    keras += "max_pool = shared_layer_two(shared_layer_one(GlobalMaxPooling2D()(x)))\nAdd()([avg_pool, max_pool])"
    torch = "avg_out = self.fc2(self.relu1(self.fc1(self.avg_pool(x))))\n"
    torch += "max_out = self.fc2(self.relu1(self.fc1(self.max_pool(x))))\nreturn self.sigmoid(avg_out + max_out)"
    for text, values in ((keras, 64 * 8 + 8 + 8 * 64 + 64), (torch, 2 * 64 * 4)):
        found = report_on(text).report
        assert found.costs.params.value == values
        assert any(note.startswith("Made elsewhere: ") for note in found.notes)


def test_kernels_as_multiples_of_strides_are_read_where_the_strides_are_one_list():
    field = report_on("strides 2, 4, 5, 8 with kernel = 2*stride, receptive field?").report.field("time")
    assert (field.rf, field.hop) == (1 + 3 + 2 * 7 + 8 * 9 + 40 * 15, 320)
    with pytest.raises(ExplainError, match="gives strides but no kernel"):
        report_on("两层stride=2的卷积加一层stride=5的卷积，总共下采样多少倍？kernel都是stride的两倍")


def test_code_that_is_cut_off_ends_in_a_message_or_a_network():
    cut = "class Block(nn.Module):\n    def __init__(self, c):\n       f.conv(x)))\n"
    cut += "net = nn.Sequential(*[Block(8) for i in range(2)])"
    with pytest.raises(ExplainError):
        report_on(f"{cut}\n感受野是多少帧?")
    with pytest.raises(ExplainError):
        report_on("Layer (type)  Output Shape  Param #\n input_1 (InputLayer)  [(None, 100, 161, 1)]  0")
