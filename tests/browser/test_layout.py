"""For phones and desks, light and dark, keyboards and screen readers, both languages; and the policy of the page."""

import urllib.request
from pathlib import Path

import pytest

pytestmark = pytest.mark.browser
EXAMPLES = Path(__file__).parents[2] / "examples"
VIEWS = ("live", "file", "voices", "explain", "models")

CONTRASTS = """(() => {
  const numbers = colour => colour.match(/[\\d.]+/g).map(Number);
  const light = colour => numbers(colour).slice(0, 3).map(part => part / 255)
    .map(part => part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4)
    .reduce((sum, part, index) => sum + part * [0.2126, 0.7152, 0.0722][index], 0);
  const surface = node => {
    for (; node; node = node.parentElement) {
      const colour = getComputedStyle(node).backgroundColor;
      if ((numbers(colour)[3] ?? 1) > 0) return colour;
    }
  };
  const low = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const node = walker.currentNode.parentElement;
    if (!walker.currentNode.data.trim() || !node.checkVisibility()) continue;
    if (node.closest(".skip, noscript, script, svg")) continue;
    const [a, b] = [light(getComputedStyle(node).color), light(surface(node))];
    const contrast = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (contrast < 4.5) low.push(`${walker.currentNode.data.trim().slice(0, 40)}: ${contrast.toFixed(2)}`);
  }
  return low;
})()"""


def fill(page, view):
    """Let a view show what it can."""
    if view == "live":
        page.value("document.getElementById('live-desk').hidden = false, document.querySelector('details').open = true")
    if view == "file":
        page.upload("#file-drop input", EXAMPLES / "rain.wav")
        page.until("'drawn' in document.getElementById('file-result').dataset")
    if view == "explain":
        page.click(".example")
        page.until("document.getElementById('explain-result').childElementCount > 0")


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize(("width", "colours", "language"), [(375, "dark", "zh"), (1440, "light", "en")])
def test_views_fit_and_can_be_read(page, view, width, colours, language):
    page.open(view, width=width, colours=colours, language=language)
    fill(page, view)
    assert page.value("document.documentElement.scrollWidth") == width
    assert page.value(CONTRASTS) == []
    assert page.value("document.documentElement.lang") == {"en": "en", "zh": "zh-CN"}[language]


@pytest.mark.parametrize("view", VIEWS)
def test_whatever_can_be_used_has_a_name(page, view):
    page.open(view)
    fill(page, view)
    tree = page.browser.call("Accessibility.getFullAXTree")["nodes"]
    used = {
        "button",
        "link",
        "checkbox",
        "radio",
        "switch",
        "slider",
        "combobox",
        "textbox",
        "spinbutton",
        "meter",
        "image",
    }
    nodes = [node for node in tree if not node["ignored"] and node["role"]["value"] in used]
    nameless = [node["role"]["value"] for node in nodes if not node.get("name", {}).get("value")]
    assert len(nodes) >= 8 and nameless == []


def test_a_keyboard_reaches_the_first_action(page):
    page.open(None)
    reached = []
    for _ in range(10):
        page.browser.press("Tab")
        reached.append(page.value("document.activeElement.id || document.activeElement.getAttribute('href')"))
        if reached[-1] == "live-start":
            break
    assert reached[0] == "#main" and reached[-1] == "live-start"
    assert {"#live", "#file", "#voices", "#explain", "#models", "language"} <= set(reached)
    page.click('nav a[href="#explain"]')
    page.until("document.activeElement.id === 'explain-title'")
    assert page.value("document.querySelector('nav [aria-current]').getAttribute('href')") == "#explain"


def test_what_the_service_does_not_offer_is_hidden(page):
    page.open("live")
    offered = page.value(
        """Promise.all(["/v1/openapi.json", "/v1/models"].map(path => fetch(path).then(answer => answer.json())))
        .then(([{ paths }, { models }]) => Object.fromEntries(["verify", "diarize"].map(
          verb => [verb, `/v1/${verb}` in paths && models.some(card => card.task === "embed")])))"""
    )
    assert page.value("!document.querySelector('nav a:nth-child(4)').hidden") == any(offered.values())
    for name, there in offered.items():
        assert page.value(f"!document.getElementById('{name}').hidden") == there


def test_the_policy_is_strict_and_kept(page, service):
    with urllib.request.urlopen(f"{service}/") as answer:
        policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy and "unsafe" not in policy and "http" not in policy
    page.open("live")
    asked = [event["params"] for event in page.browser.events if event.get("method") == "Network.requestWillBeSent"]
    assert {request["request"]["url"].startswith(service) for request in asked} == {True}
    assert page.value("document.querySelectorAll('[style], [onclick], style').length") == 0
    for attempt, directive in (
        ("new Image().src = 'http://127.0.0.1:9/x.png'", "img-src"),
        ("fetch('http://127.0.0.1:9/').catch(() => 0)", "connect-src"),
        ("document.body.setAttribute('onclick', 'alert(1)'); document.body.click()", "script-src-attr"),
    ):
        refused = f"""new Promise(done => {{
            document.addEventListener("securitypolicyviolation", event => done(event.effectiveDirective));
            setTimeout(() => done("nothing was refused"), 2000);
            {attempt};
        }})"""
        assert page.value(refused) == directive
    page.forget()
