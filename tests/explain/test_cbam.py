"""How CBAM residual blocks go into a pasted network: the words, both networks side by side, and the code to paste."""

import json
import os
import re
from pathlib import Path

import pytest
import torch

from voxfield.errors import ExplainError
from voxfield.explain import explain, report_on
from voxfield.explain.render import comparison_text, page, report_text
from voxfield.explain.whatif import edited
from voxfield.nn.cbam import CbamBlock

HERE = Path(__file__).parent
NETS = HERE.parents[1] / "docs" / "nets"
FRAGMENTS = {row["name"]: row["paste"] for row in json.loads((HERE / "pasted.json").read_text(encoding="utf-8"))}
ASKED = {"en": "How do I add a CBAM-ResNet module?", "zh": "如何加入CBAM-ResNet模块"}
MEAN_SPOT = FRAGMENTS["A4"].removesuffix(ASKED["zh"])
TORCH = """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 16, 3, padding=1)
        self.pool = nn.MaxPool2d(2)
        self.conv2 = nn.Conv2d(16, 32, 3, padding=1)
        self.fc = nn.Linear(2048, 10)

    def forward(self, x):
        x = self.pool(F.relu(self.conv1(x)))
        x = self.pool(F.relu(self.conv2(x)))
        return self.fc(x.flatten(1))
"""
RESIDUAL = """
def block(x, filters):
    y = layers.Conv2D(filters, 3, padding="same")(x)
    y = layers.ReLU()(layers.BatchNormalization()(y))
    y = layers.Conv2D(filters, 3, padding="same")(y)
    y = layers.BatchNormalization()(y)
    return layers.ReLU()(layers.Add()([x, y]))

x = layers.Input((32, 32, 16))
x = block(block(x, 16), 16)
"""


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_question_is_answered_with_both_networks(language):
    found = report_on(MEAN_SPOT + ASKED[language], language=language)
    text = report_text(found.report, found.graph, found.paragraphs, language=language)
    text = "\n\n".join([text, *(comparison_text(change, language) for change in found.changes)]) + "\n"
    path = HERE / "golden" / f"cbam-{language}.txt"
    if os.environ.get("VOXFIELD_GOLDEN") == "write":
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8")
    assert found.paragraphs[0].key == "cbam_block" and found.paragraphs[0].asked
    assert "cbam_block" in page(found.report, found.graph, found.paragraphs, found.changes, language=language)


def test_the_changed_network_is_the_one_that_the_docs_write_out():
    plain, written = (explain(NETS / f"{name}.py") for name in ("mean_spot", "mean_spot_cbam"))
    changed = explain(NETS / "mean_spot.py", edits=["cbam-resnet"])
    assert (plain.costs.params.value, changed.costs.params.value) == (3593, 6779)
    for figure in ("params", "macs", "weight_bytes"):
        assert getattr(changed.costs, figure).value == getattr(written.costs, figure).value


def with_the_code(paste: str, code: str) -> str:
    """A pasted network with the code that its answer gives, each line behind its layer."""
    source = report_on(paste)
    lines = paste.split("\n")
    blocks, _, uses = code.rpartition("\n\n\n")
    for number, use in sorted(
        (
            (source.graph.op(name).line, line)
            for line in uses.split("\n")
            for name in [re.search(r"behind (\w+)", line)[1]]
        ),
        reverse=True,
    ):
        indent = re.match(r" *", lines[number - 1])[0]
        lines.insert(number, indent + use)
    return "import keras\n" + blocks + "\n\n\n" + "\n".join(lines)


@pytest.mark.parametrize("paste", [(NETS / "mean_spot.py").read_text(encoding="utf-8")])
def test_the_code_given_makes_the_network_shown(paste):
    found = report_on(f"{paste}\n{ASKED['en']}")
    changed = explain(with_the_code(paste, found.paragraphs[0].code))
    after = found.changes[0].after
    assert changed.costs.params.value == after.costs.params.value > found.report.costs.params.value
    assert changed.costs.macs.value == after.costs.macs.value


def test_the_torch_code_is_our_block():
    code = report_on(TORCH + ASKED["en"], input_shape=(3, 32, 32)).paragraphs[0].code
    blocks, _, uses = code.rpartition("\n\n\n")
    assert uses.split("\n")[:2] == ["self.cbam1 = CbamBlock(16)", "x = self.cbam1(x)  # behind pool"]
    names = {"torch": torch, "nn": torch.nn, "F": torch.nn.functional}
    exec(blocks, names)
    theirs, ours = names["CbamBlock"](32).eval(), CbamBlock(32).eval()
    weights = zip(theirs.state_dict(), ours.state_dict().values(), strict=True)
    theirs.load_state_dict(dict(weights))
    x = torch.randn(2, 32, 9, 7)
    torch.testing.assert_close(theirs(x), ours(x))


def test_torch_figures_side_by_side():
    found = report_on(TORCH + ASKED["en"], input_shape=(3, 32, 32))
    block = sum(p.numel() for p in CbamBlock(16).parameters()) + sum(p.numel() for p in CbamBlock(32).parameters())
    before, after = (getattr(found.changes[0], side).costs.params.value for side in ("before", "after"))
    assert after - before == block
    assert [row.name for row in found.changes[0].rows if not row.before] == ["pool.cbam_block", "pool_1.cbam_block"]
    rows = found.to_dict()["what_if"][0]["rows"]
    assert sum(row["after"]["params"] for row in rows) == after


def test_residual_blocks_get_the_attention_alone():
    found = report_on(f"{RESIDUAL}\n{ASKED['en']}")
    first = found.paragraphs[0]
    assert "has residual blocks already" in first.answer and "def cbam_block" not in first.code
    added = [row for row in found.changes[0].rows if not row.before]
    assert [row.name for row in added] == ["conv2d_1.cbam", "conv2d_3.cbam"]
    assert len(added[0].after) == len([layer for layer in added[0].after if layer.source == "CBAM"])
    assert "y = cbam(y)" in first.code


def test_blocks_go_behind_convolutions_with_nothing_between_them():
    plain = "3x3@8 3x3@16"
    found = explain(plain, input_shape=(3, 20, 20), edits=["cbam"])
    blocks = {layer.name.rpartition(".")[0] for layer in found.layers if layer.source == "CBAM"}
    assert blocks == {"layer1.cbam", "layer2.cbam"}
    before = explain(plain, input_shape=(3, 20, 20)).costs.params.value
    assert found.costs.params.value == before + 25 + 49 + 2 * (98 + 2)  # shared MLPs, 7 x 7 kernels, norms


def test_where_no_block_fits_that_is_said():
    found = report_on(f"nn.Conv1d(1, 8, 5)\n{ASKED['en']}")
    assert found.paragraphs[0].answer == "There is no convolution over two axes that a CBAM block could follow."
    assert not found.changes and not found.paragraphs[0].code
    with pytest.raises(ExplainError, match="CBAM"):
        edited(found.graph, ["layer1=cbam-resnet"])


ATTENTION = """
class CBAM(nn.Module):
    def __init__(self, planes):
        super().__init__()
        self.avg_pool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Sequential(nn.Conv2d(planes, planes // 16, 1), nn.ReLU(), nn.Conv2d(planes // 16, planes, 1))
        self.places = nn.Conv2d(2, 1, 7, padding=3, bias=False)
        self.sigmoid = nn.Sigmoid()

    def channels(self, x):
        return self.sigmoid(self.fc(self.avg_pool(x)))

    def forward(self, x):
        x = self.channels(x) * x
        best, _ = torch.max(x, dim=1, keepdim=True)
        pair = torch.cat([torch.mean(x, dim=1, keepdim=True), best], dim=1)
        return self.sigmoid(self.places(pair)) * x
"""


@pytest.mark.parametrize(
    ("language", "question", "said"),
    [
        ("en", "What does this CBAM module do?", "CBAM is in the network already"),
        ("zh", "这个CBAM注意力模块有什么作用？", "网络里已经有 CBAM"),
    ],
)
def test_a_pasted_attention_block_is_not_told_to_take_another(language, question, said):
    found = report_on(ATTENTION + question, language=language)
    assert found.paragraphs[0].asked and said in found.paragraphs[0].answer
    assert not found.changes
