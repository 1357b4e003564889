"""The paragraphs: both languages say the same things with the same figures, and only what was computed."""

import re
from string import Formatter

import pytest

from voxfield.errors import ExplainError
from voxfield.explain import report_on
from voxfield.explain.phrases import EN, ZH

CRN = "\n".join(
    f"x = layers.Conv2D({n}, ({1 if n == 16 else 2}, 3), strides=(1, 2), padding='same')(x)"
    for n in (16, 32, 64, 128, 256)
)


def placeholders(text):
    return sorted({name for _, name, _, _ in Formatter().parse(text) if name})


def test_both_languages_have_the_same_sentences_with_the_same_figures():
    assert list(EN) == list(ZH)
    for key in EN:
        assert placeholders(EN[key]) == placeholders(ZH[key]), key


def said(what, language="en", **options):
    return {p.key: p.answer for p in report_on(what, language=language, **options).paragraphs}


@pytest.mark.parametrize("language", ["en", "zh"])
def test_wav2vec_in_numbers(language):
    told = said("10/5 8/4 4/2 4/2 4/2", language, rate_hz=16000)
    assert "9 + 35 + 60 + 120 + 240 + 1 = 465" in told["kernel"]
    assert "29.06 ms" in told["kernel"]
    assert "5 x 4 x 2 x 2 x 2 = 160" in told["stride"]
    assert "10 ms" in told["stride"]
    assert "filters" not in told  # no channels were given, so nothing is said of them


@pytest.mark.parametrize("language", ["en", "zh"])
def test_why_these_filters(language):
    code = "\n".join(f"layers.Conv2D({n}, (1, 3), strides=(1, 2))" for n in (16, 32, 64, 128, 256))
    told = said(code, language)
    assert "16, 32, 64, 128, 256" in told["filters"]
    assert "161 -> 80 -> 39 -> 19 -> 9 -> 4" in told["filters"]
    assert "1,280, 1,248, 1,216, 1,152, 1,024" in told["filters"]
    assert "= 1.25" in told["filters"]


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_same_padding_trap_is_told(language):
    told = said(CRN, language, rate_hz=16000, hop_samples=160, window_samples=320)
    assert "padding='same'" in told["latency"]
    assert "conv2d_1" in told["latency"]
    assert re.search(r"\b4 (frames|帧)", told["latency"])
    assert "causal" in told["fix"]


def test_frames_carry_their_window():
    told = said("3causal", rate_hz=16000, hop_samples=160, window_samples=320, input_shape=(50,))
    assert "40 ms" in told["kernel"]  # three frames: 2 hops and a window
    assert "20 ms" in told["latency"]


@pytest.mark.parametrize(
    ("code", "named", "fix"),
    [
        ("nn.Sequential(nn.Conv1d(4, 4, 3), nn.GroupNorm(1, 4))", "group_norm", "cumulative"),
        ("nn.LSTM(8, 4, batch_first=True, bidirectional=True)", "lstm", "bidirectional=false"),
        ("x = layers.Input((30, 8))\nx = layers.GlobalAveragePooling1D()(x)", "global_average_pooling1d", "running"),
        ("x = layers.Input((30, 8))\nx = layers.MultiHeadAttention(2, 4)(x, x)", "multi_head_attention", "attention"),
    ],
)
def test_what_keeps_it_from_streaming_is_named(code, named, fix):
    found = report_on(code, input_shape=(30, 8) if "LSTM" in code else None)
    told = {p.key: p.answer for p in found.paragraphs}
    names = [cause.operator for field in found.report.fields for cause in field.whole_input]
    assert names[0] == named
    assert named in told["streaming"]
    assert fix in told["fix"]


def test_a_network_that_streams_needs_no_fix():
    told = said("3causal 3:2causal", rate_hz=100, input_shape=(50,))
    assert told["fix"].startswith("None")
    assert "looks ahead" in told["latency"]


def test_depthwise_layers_are_weighed_against_a_standard_one():
    depthwise = "nn.Conv2d(64, 64, 3, padding=1, groups=64, bias=False)"
    code = f"nn.Sequential({depthwise}, nn.ReLU(), nn.Conv2d(64, 128, 1, bias=False))"
    told = said(code, input_shape=(64, 32, 32))
    assert "1/N + 1/k^2 = 1/128 + 1/9 = 0.1189" in told["separable"]


def test_an_unknown_language_is_refused():
    with pytest.raises(ExplainError, match="'fr'"):
        said("3", "fr")
