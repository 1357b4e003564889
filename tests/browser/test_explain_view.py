"""Networks explained on the page, and the cards of the models."""

import json

import pytest

from voxfield import explain
from voxfield.cards import cards

pytestmark = pytest.mark.browser


def ask(page, what):
    page.value(f"document.getElementById('explain-text').value = {json.dumps(what)}")
    page.click("#explain-form button[type=submit]")
    page.until("document.getElementById('explain-status').textContent === 'Done.'")


def test_figures_words_and_drawings(page):
    page.open("explain")
    ask(page, "10/5@8 8/4@16 4/2@16 4/2@16 4/2@16")
    shown = page.text("#explain-result")
    field = explain("10/5 8/4 4/2 4/2 4/2", rate_hz=16000).field("time")
    assert f"{field.rf} samples = {field.ms(field.rf)} ms" in shown and f"{field.hop} samples = 10 ms" in shown
    assert "Why this kernel?" in shown and "9 + 35 + 60 + 120 + 240 + 1 = 465" in shown
    drawn = page.value(
        "[...document.querySelectorAll('#explain-result svg')].map(svg => svg.querySelectorAll('rect').length)"
    )
    assert len(drawn) == 2 and min(drawn) > 5
    assert page.value("document.querySelector('#explain-result svg').getBoundingClientRect().height") > 100


def test_pasted_code_is_read(page):
    page.open("explain")
    ask(page, "nn.Sequential(nn.Conv1d(1, 32, 5, stride=2), nn.ReLU(), nn.Conv1d(32, 64, 3, dilation=4))")
    assert "Parameters6,400" in page.text("#explain-result")
    ask(page, "Conv1D(64, 9, strides=2, padding='causal')")
    assert "Receptive field9 samples = 0.5625 ms" in page.text("#explain-result")


def test_a_switch_of_the_language_asks_again(page):
    page.open("explain")
    ask(page, "10/5 8/4")
    page.click("#language")
    page.until("document.getElementById('explain-result').textContent.includes('为什么')")
    assert page.value("document.documentElement.lang") == "zh-CN" and "感受野45" in page.text("#explain-result")


def test_what_cannot_be_read_is_said(page):
    page.open("explain")
    page.value("document.getElementById('explain-text').value = '<img src=x onerror=alert(1)>'")
    page.click("#explain-form button[type=submit]")
    page.until("!['', 'Working …'].includes(document.getElementById('explain-status').textContent)")
    assert page.value("document.querySelector('#explain img') === null")
    page.forget("status of 422")


def test_drawings_are_shapes_and_words_only(page):
    page.open("explain")
    kept = page.value(
        """import("/svg.js").then(({ drawing }) => drawing(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9"
        onload="alert(1)"><title>ok</title><script>alert(2)</script><rect width="3" onclick="alert(3)"
        fill="url(#x)" style="color:red" class="paper"/><image href="http://example.org/x.png"/><a href="javascript:1">
        <text>in a link</text></a><foreignObject><b xmlns="http://www.w3.org/1999/xhtml">b</b></foreignObject>
        <text x="1">kept</text></svg>`).outerHTML)"""
    )
    for gone in ("onload", "script", "onclick", "url(", "style", "image", "href", "foreignObject", "in a link"):
        assert gone not in kept
    assert '<rect width="3" class="paper">' in kept and '<text x="1">kept</text>' in kept
    assert page.value("import('/svg.js').then(({ drawing }) => drawing('<p>no drawing</p>'))") is None
    assert not page.value("document.querySelector('script:not([src])')")
    page.forget()  # the policy of the page refuses what is in such a drawing as well, and says so


def test_every_model_has_its_card(page):
    page.open("models")
    shown = page.text("#models-list")
    for card in cards():
        assert card.name in shown and card.licence in shown and card.data[0] in shown
    assert "32 ms" in shown and "whole recordings" in shown
