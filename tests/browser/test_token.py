"""A service that asks for a token: the page asks its user once, and opens its WebSocket with a ticket."""

import json

import pytest

pytestmark = pytest.mark.browser
TOKEN = "a-token-of-the-browser-test"


@pytest.fixture(scope="module")
def guarded(start_service, tmp_path_factory):
    path = tmp_path_factory.mktemp("token") / "tokens"
    path.write_text(f"{TOKEN}\n")
    with start_service("--token-file", str(path)) as address:
        yield address


def answer(page, token):
    page.until("document.getElementById('token').open")
    page.value(f"document.getElementById('token-text').value = {json.dumps(token)}")
    page.click("#token button[value=use]")


def test_the_user_is_asked_until_the_token_fits(page, guarded):
    page.address = guarded
    page.browser.open("about:blank")
    page.browser.open(guarded)
    answer(page, "a-token-that-nobody-knows")
    answer(page, TOKEN)
    page.until("'started' in document.body.dataset && document.getElementById('live-model').length > 0")
    page.click("#live-start")
    page.until("/\\d/.test(document.getElementById('measured').textContent)")
    page.click("#live-start")
    page.until("!('on' in document.getElementById('live').dataset)")
    urls = [
        event["params"]["url"] for event in page.browser.events if event.get("method") == "Network.webSocketCreated"
    ]
    assert len(urls) == 1 and "?ticket=" in urls[0] and TOKEN not in urls[0]
    page.forget("status of 401")


def test_a_token_behind_the_address_is_used_and_taken_out(page, guarded):
    page.browser.open("about:blank")
    page.browser.open(f"{guarded}/#token={TOKEN}")
    page.until("'started' in document.body.dataset && document.getElementById('live-model').length > 0")
    assert TOKEN not in page.value("location.href") and not page.value("document.getElementById('token').open")
    assert page.value("Object.values(localStorage).join() + Object.values(sessionStorage).join()").find(TOKEN) < 0


def test_without_a_token_the_page_says_so(page, guarded):
    page.browser.open("about:blank")
    page.browser.open(guarded)
    page.until("document.getElementById('token').open")
    page.click("#token button[value='']")
    page.until("document.getElementById('live-status').textContent.includes('needs a token')")
    page.forget("status of 401")
