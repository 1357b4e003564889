"""Networks of tokens: file = network to the code, the card = explain, half after half = the whole, weights used."""

import numpy as np
import pytest
import torch
from token_networks import PROBES, TOKENIZERS, made

from voxfield.cards import WHOLE_INPUT
from voxfield.explain import explain
from voxfield.export.onnx_file import export_network, export_parts
from voxfield.models.vqvae2 import Vqvae2, Vqvae2Config
from voxfield.runtime import OnnxEngine

ABOUT = {
    "name": "tokens-tiny.v1", "task": "tokens", "architecture": "vqvae2", "summary": "for a test",
    "licence": "none", "data": (), "config": {},
}  # fmt: skip


@pytest.fixture(params=TOKENIZERS)
def network(request):
    return made(request.param)


def example(net, hops=40, batch=1):
    shape = net.interface().block_shape(hops, batch)
    return torch.randn(shape, generator=torch.Generator().manual_seed(1))


@torch.no_grad()
def test_the_files_give_the_codes_and_the_numbers_of_the_network(network, tmp_path):
    about = ABOUT | {"interface": network.interface()}
    card = export_parts(network, tmp_path / "net.onnx", about)
    there, back = OnnxEngine(tmp_path / "net.onnx"), OnnxEngine(tmp_path / "net-decoder.onnx")
    assert (card.name, back.card.name) == ("tokens-tiny.v1", "tokens-tiny-decoder.v1")
    assert (there.card.task, back.card.task) == ("tokenize", "detokenize")
    assert there.card.measured["weights"] == back.card.measured["weights"]
    x = example(network)
    tokens, _ = there.step(x.numpy(), ())
    rebuilt, _ = back.step(tokens, ())
    first, second = network.parts().values()
    assert tokens.dtype == np.int64 and (tokens == first(x).numpy()).mean() > 0.98
    assert first.excess(x, torch.from_numpy(tokens)) <= 1e-5 and first.excess(x, first(x)) == 0
    wrong = torch.from_numpy((tokens + 1) % network.config.codes)
    assert network.config.codes == 1 or first.excess(x, wrong) > 1e-3
    assert tokens.min() >= 0 and tokens.max() < there.card.interface.codes == network.config.codes
    wanted = second(torch.from_numpy(tokens)).numpy()
    assert rebuilt.shape == x.shape and np.abs(rebuilt - wanted).max() <= 1e-5 * np.abs(wanted).max()


@torch.no_grad()
def test_weights_of_16_bits_halve_the_file_and_parity_is_shown(tmp_path):
    torch.manual_seed(0)
    net = Vqvae2(Vqvae2Config(bands=64, channels=32, codes=64, code_size=16))
    net.train().rebuild(torch.randn(2, 64, 64))
    about = ABOUT | {"interface": net.interface()}
    sizes = []
    for half in (False, True):
        card = export_parts(net, tmp_path / f"{half}.onnx", about, half=half)
        sizes.append((tmp_path / f"{half}.onnx").stat().st_size)
    assert sizes[1] < 0.65 * sizes[0] and card.parameters > 20_000
    x = np.random.default_rng(0).standard_normal((1, 64, 64)).astype(np.float32)
    plain, rounded = (OnnxEngine(tmp_path / f"{half}-decoder.onnx") for half in (False, True))
    tokens, _ = OnnxEngine(tmp_path / "True.onnx").step(x, ())
    wanted, found = plain.step(tokens, ())[0], rounded.step(tokens, ())[0]
    assert 0 < np.abs(found - wanted).max() < 1e-2 * np.abs(wanted).max()


@torch.no_grad()
def test_the_figures_on_the_cards_are_those_that_explain_reads(network, tmp_path):
    export_parts(network, tmp_path / "net.onnx", ABOUT | {"interface": network.interface()})
    for name in ("net.onnx", "net-decoder.onnx"):
        card = OnnxEngine(tmp_path / name).card
        report = explain(
            (tmp_path / name).read_bytes(),
            input_shape=card.interface.block_shape(card.interface.hops_per_second),
            layout=card.interface.input.layout,
        )
        assert not report.unknown and report.costs.macs.value > 0 and card.macs > 0
        assert report.costs.params.value == card.parameters
        assert (card.field_samples == WHOLE_INPUT) == (not network.config.bands) and card.states == ()


@torch.no_grad()
@pytest.mark.parametrize("name", PROBES)
def test_a_probe_of_codes_is_its_file(name, tmp_path):
    torch.manual_seed(0)
    net = PROBES[name]().eval()
    about = ABOUT | {"architecture": name, "task": "name-noise", "interface": net.interface()}
    card = export_network(net, tmp_path / "net.onnx", about)
    tokens = torch.randint(
        card.interface.codes, card.interface.input.batched(9), generator=torch.Generator().manual_seed(1)
    )
    got, _ = OnnxEngine(tmp_path / "net.onnx").step(tokens.numpy(), ())
    np.testing.assert_allclose(got, net(tokens).numpy(), atol=1e-5)
    np.testing.assert_allclose(np.exp(got).sum(1), 1, atol=1e-5)
    assert card.field_samples == WHOLE_INPUT and card.parameters >= net.scores.weight.numel() and card.macs > 0
    part = net.histogram(tokens)[:, : 2 * 16].square()
    assert torch.allclose(part.reshape(2, 16).sum(1), torch.ones(2))  # shares of each range


@torch.no_grad()
def test_one_half_after_the_other_is_the_whole(network):
    x, parts = example(network), network.parts()
    torch.testing.assert_close(parts["-decoder"](parts[""](x)), network(x), rtol=1e-4, atol=1e-5)


@torch.no_grad()
def test_inputs_of_a_batch_do_not_mix(network):
    x = example(network, batch=3)
    apart = torch.cat([network(one[None]) for one in x])
    assert torch.allclose(network(x), apart, atol=1e-5 * float(apart.abs().max()))


def test_every_weight_has_a_use(network):
    _, loss, _ = network.rebuild(example(network, batch=2).requires_grad_())
    y = network(example(network, batch=2).requires_grad_())
    (loss + y.square().sum()).backward()
    assert [name for name, parameter in network.named_parameters() if parameter.grad is None] == []
