"""Projections equal WeSpeaker's in logits, loss and gradients, and their gradients stay finite where those do not.

`wespeaker_projections.npz` holds weights, embeddings, labels and results of its `projections.py`; in the second case
an embedding lies nearly opposite to a centre.
"""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn.functional import cross_entropy

from voxfield.errors import InputError
from voxfield.nn.margins import PROJECTIONS, AdditiveMargin, ArcMargin, Softmax, Sphere, margin_at, sphere_margin

STORED = {
    name: torch.from_numpy(array)
    for name, array in np.load(Path(__file__).with_name("wespeaker_projections.npz")).items()
}
KINDS = {  # name there -> (projection, margin)
    "softmax": (lambda: Softmax(24, 17), 0.0),
    "add_margin": (lambda: AdditiveMargin(24, 17), 0.2),
    "arc_margin": (lambda: ArcMargin(24, 17), 0.2),
    "arc_margin_easy": (lambda: ArcMargin(24, 17, easy=True), 0.2),
    "arc_margin_intertopk_subcenter": (lambda: ArcMargin(24, 17, centres=3, rivals=5), 0.2),
    "sphere": (lambda: Sphere(24, 17), sphere_margin(1)),
}
RENAMED = {"trans.0": "norm", "trans.2": "linear"}


@pytest.fixture(params=KINDS)
def projection(request):
    """(Name, projection with WeSpeaker's weights, margin)."""
    make, margin = KINDS[request.param]
    layer, prefix = make().eval(), f"weights.{request.param}."
    for name, tensor in STORED.items():
        if name.startswith(prefix):
            name = name.removeprefix(prefix)
            for theirs, ours in RENAMED.items():
                name = name.replace(theirs, ours)
            layer.get_parameter(name).data.copy_(tensor) if "running" not in name else layer.get_buffer(name).copy_(
                tensor
            )
    return request.param, layer, margin


@pytest.mark.parametrize("case", range(3))
def test_equal_to_wespeaker(projection, case):
    name, layer, margin = projection
    x = STORED[f"case{case}.embedding"].clone().requires_grad_()
    labels = STORED[f"case{case}.label"]
    logits = layer(x, labels, margin)
    loss = cross_entropy(logits, labels)
    loss.backward()
    stored = {key: STORED[f"case{case}.{name}.{key}"] for key in ("logits", "loss", "grad")}
    assert torch.allclose(logits, stored["logits"], atol=2e-5)
    assert torch.allclose(loss, stored["loss"], atol=1e-4)
    there = torch.isfinite(stored["grad"])
    assert torch.allclose(x.grad[there], stored["grad"][there], atol=1e-5) and torch.isfinite(x.grad).all()


def test_gradients_are_finite_everywhere(projection):
    _, layer, margin = projection
    centres = layer.weight if hasattr(layer, "weight") else torch.randn(17, 24)
    own, labels = centres.detach()[:: len(centres) // 17], torch.arange(17)
    for x in (own, -own, 0 * own, 1e-20 * own, 1e6 * own, torch.nn.functional.normalize(own)):
        x = x.clone().requires_grad_()
        layer.zero_grad()
        cross_entropy(layer(x, labels, margin), labels).backward()
        assert torch.isfinite(x.grad).all() and all(torch.isfinite(p.grad).all() for p in layer.parameters())


def test_a_margin_makes_the_true_speaker_less_likely(projection):
    name, layer, margin = projection
    x, labels = torch.randn(50, 24), torch.randint(17, (50,))
    with torch.no_grad():
        plain, harder = (layer(x, labels, m).gather(1, labels[:, None]) for m in (0.0, margin))
    assert (harder <= plain + 1e-5).all() and (name == "softmax" or (harder < plain).any())


@torch.no_grad()
def test_rivals_come_nearer_in_proportion_to_the_margin():
    layer, x, labels = ArcMargin(24, 17, rivals=5), torch.randn(50, 24), torch.randint(17, (50,))
    plain = layer.scale * layer.cosines(x)
    assert torch.allclose(layer(x, labels, 0.0), plain, atol=1e-4)
    others = torch.nn.functional.one_hot(labels, 17) == 0
    some, more = ((layer(x, labels, margin) - plain)[others].sum() for margin in (0.1, 0.2))
    assert 1.8 * some < more < 2.2 * some


@torch.no_grad()
def test_an_embedding_next_to_zero_has_no_direction():
    assert ArcMargin(24, 17).cosines(1e-9 * torch.randn(50, 24)).abs().max() < 0.01


def test_the_margin_grows_as_in_wespeaker():
    steps = {0: 0, 949: 0, 950: 0, 975: 0.03172097587793454, 1000: 0.058410850202626555, 1200: 0.16443442069061304,
             1500: 0.19552256018545466, 1949: 0.19979861386741438, 1950: 0.2, 7499: 0.2}  # fmt: skip
    for step, margin in steps.items():
        assert margin_at(step / 50) == pytest.approx(margin, abs=1e-12)


def test_every_projection_is_in_the_table():
    assert {type(make()) for make, _ in KINDS.values()} == set(PROJECTIONS.values())
    with pytest.raises(InputError, match="choose 0 to 16"):
        ArcMargin(24, 17, rivals=17)
