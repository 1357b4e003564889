"""The page shell: titles are text, and nothing runs or loads but what the page was given."""

import re

from voxfield.explain import report_on
from voxfield.explain.render import page
from voxfield.webpage import html_page


def test_titles_are_text():
    text = html_page("</title><script>alert(1)</script>", "<p>body</p>")
    assert "<title>&lt;/title&gt;&lt;script&gt;" in text and "<script" not in text
    assert "<body>\n<p>body</p>\n</body>" in text


def test_without_a_script_none_may_run():
    policy = re.search('Content-Security-Policy" content="([^"]*)"', html_page("t", "")).group(1)
    assert policy.startswith("default-src 'none';") and "script-src" not in policy and "unsafe" not in policy
    assert "script-src 'sha256-" in html_page("t", "", script="let x;")


def test_pages_of_explain_have_the_shell_and_no_style_that_it_refuses():
    found = report_on("10/5@8 8/4@8", rate_hz=16000)
    text = page(found.report, found.graph, found.paragraphs, language="zh")
    assert '<html lang="zh">' in text and "prefers-color-scheme:dark" in text
    assert text.count("<style>") == 1 and not re.search(r"\sstyle=|\son\w+=|unsafe-inline", text)
