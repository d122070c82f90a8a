"""The page in a browser: it draws, it plays, it sorts, and it has nothing to complain of."""

import pytest

from catok.evaluation.report.page import write_report
from tests import browser

PROGRAM = browser.find()
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(PROGRAM is None, reason="no Chromium or Chrome on PATH"),
]

METADATA = """
Promise.all([...document.querySelectorAll("audio")].map(one => new Promise(done => {
  const tell = () => done([one.duration, one.error && one.error.message]);
  if (one.readyState >= 1 || one.error) return tell();
  one.addEventListener("loadedmetadata", tell);
  one.addEventListener("error", tell);
  one.load();
})))
"""
IMAGES = """
Promise.all([...document.images].map(async one => {
  one.loading = "eager"; await one.decode(); return one.naturalWidth * one.naturalHeight;
}))
"""
PLOTS = """
document.querySelectorAll("details").forEach(one => { one.open = true; });
[...document.querySelectorAll(".plot svg")].map(one => {
  const box = one.getBoundingClientRect(), line = one.querySelector(".path");
  return [box.width, box.height, getComputedStyle(line).stroke, line.getTotalLength()];
})
"""
SORTED = """
(place => {
  const head = document.querySelectorAll("thead")[0].rows[0].cells[place];
  head.querySelector("button").click();
  const rows = [...head.closest("table").tBodies[0].rows];
  const cells = rows.map(row => row.cells[place]);
  const values = cells.map(cell => cell.dataset.name || cell.textContent);
  return [head.getAttribute("aria-sort"), values];
})
"""
ENLARGED = """
(async () => {
  const small = document.querySelector(".zoom"), dialog = document.querySelector("dialog");
  const before = small.querySelector("img").getBoundingClientRect().width;
  small.click();
  const shown = [dialog.open, dialog.querySelector("img").getBoundingClientRect().width / before];
  dialog.querySelector("button").click();
  return [...shown, dialog.open];
})()
"""
HINTS = """
new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => done(
  [...document.querySelectorAll(".wide")].filter(one => one.clientWidth).map(one =>
    [one.scrollWidth > one.clientWidth + 1, !one.previousElementSibling.hidden])))))
"""
PLAYING = """
(async () => {
  const [one, two] = document.querySelectorAll("audio");
  one.muted = two.muted = true; one.loop = two.loop = true;
  await one.play(); await two.play();
  await new Promise(done => setTimeout(done, 50));
  return [one.paused, two.paused];
})()
"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_report_in_a_browser(run, tmp_path, scheme):
    out, summary = run
    path = write_report(out, summary)
    with browser.Page(PROGRAM, tmp_path / "profile", prefers_color_scheme=scheme) as page:
        page.open(path)
        sounds = page.ask(METADATA)
        assert len(sounds) == 4 * 8
        assert all(error is None and abs(length - 0.8) < 0.01 for length, error in sounds), sounds
        assert all(size > 0 for size in page.ask(IMAGES))
        plots = page.ask(PLOTS)
        assert len(plots) == 6
        for width, height, stroke, length in plots:
            assert width > 200 and height > 100 and length > 20
            assert stroke not in ("none", "rgb(0, 0, 0)")
        background = page.ask("getComputedStyle(document.body).backgroundColor")
        assert background == {"light": "rgb(255, 255, 255)", "dark": "rgb(20, 23, 27)"}[scheme]

        direction, rates = page.ask(f"({SORTED})(1)")
        assert direction == "ascending"
        assert rates[-1] == "\u2013"  # the original has none: last either way
        assert [float(rate) for rate in rates[:-1]] == sorted(float(r) for r in rates[:-1])
        direction, again = page.ask(f"({SORTED})(1)")
        assert (direction, again) == ("descending", [*rates[-2::-1], "\u2013"])
        _, names = page.ask(f"({SORTED})(0)")
        assert names == sorted(names)
        assert page.ask(PLAYING) == [True, False]

        opened, times, still = page.ask(ENLARGED)
        assert opened and times > 2 and not still
        assert not any(wide or told for wide, told in page.ask(HINTS))

        page.size(360, 640)
        hints = page.ask(HINTS)
        assert any(wide for wide, _ in hints) and all(wide == told for wide, told in hints)
        assert page.ask("document.documentElement.scrollWidth") <= 360
        assert page.errors() == []
        assert all(url.startswith(("data:", path.as_uri())) for url in page.requests())


def test_the_browser_would_tell(tmp_path):
    """The checks above can fail: a page with an error, a broken sound and a request."""
    (tmp_path / "bad.html").write_text(
        '<audio src="data:audio/flac;base64,AAAA"></audio><img src="http://127.0.0.1:9/x.png">'
        "<script>throw new Error('no')</script>"
    )
    with browser.Page(PROGRAM, tmp_path / "profile") as page:
        page.open(tmp_path / "bad.html")
        ((_, error),) = page.ask(METADATA)
        assert error
        assert page.errors()
        assert any(url.startswith("http:") for url in page.requests())
