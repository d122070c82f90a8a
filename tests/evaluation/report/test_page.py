"""The page by itself: complete, escaped, self-contained, not too large; its pictures and axes."""

import base64
import io
import math
import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest
import soundfile
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from PIL import Image

from catok import save_audio
from catok.evaluation.report.curves import nice_axis, rate_axis, rate_curve
from catok.evaluation.report.html import tag
from catok.evaluation.report.images import (
    MELS,
    WIDTH,
    framed_spectrogram,
    mel_levels,
    palette,
    png,
    relative_height,
    spectrogram_png,
    time_ticks,
)
from catok.evaluation.report.page import page, write_report
from catok.evaluation.report.players import MAX_CHARACTERS, fit_to_budget
from catok.evaluation.run.bootstrap import Estimate
from catok.evaluation.run.summary import Clip, ExampleClips

from .conftest import NASTY

VOID = {"img", "meta", "link"}


class Elements(HTMLParser):
    """Start tags with their attributes, and the text; raises where tags do not match."""

    def __init__(self, content: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self._open: list[str] = []
        self.feed(content)
        assert self._open == []

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)

    def handle_endtag(self, tag):
        assert self._open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)

    def named(self, name: str) -> list[dict[str, str | None]]:
        return [attributes for tag, attributes in self.found if tag == name]


@pytest.fixture(scope="module")
def elements(run) -> Elements:
    out, summary = run
    return Elements(write_report(out, summary).read_text())


def test_the_page_is_whole(elements):
    assert len(elements.named("audio")) == 4 * 8  # two recordings of two domains, eight settings
    assert len(elements.named("img")) == len(elements.named("audio"))
    assert all(image["alt"] for image in elements.named("img"))
    plots = [a for a in elements.named("figure") if a.get("class") == "plot"]
    assert len(plots) == 2 * 3  # figures x domains and all
    assert len(elements.named("svg")) == len(plots) + len(elements.named("img"))
    for title in ("ratio of peaks ↑", "Domain: speech", "perplexity", "silent.wav", "7 (1 silent)"):
        assert any(title in text for text in elements.text), title


def test_the_text_is_beside_what_was_recognised(run):
    out, summary = run
    (first, *clips) = summary.examples[0].clips
    shown = [
        replace(first, hypothesis="<i>the cat</i>", wer=25.4),
        *(replace(clip, hypothesis="") for clip in clips),
    ]
    example = replace(summary.examples[0], text="the <b>cat", clips=shown)
    elements = Elements(page(out, replace(summary, examples=[example])))
    assert "\u201cthe <b>cat\u201d" in "".join(elements.text)
    assert "WER 25\u00a0%" in elements.text
    assert any("\u201c<i>the cat</i>\u201d" in text for text in elements.text)
    assert sum("nothing recognised" in text for text in elements.text) == len(clips)


def test_the_best_of_a_bitrate_is_bold_and_the_original_is_not(run):
    out, summary = run
    content = page(out, summary)
    first = content[content.index("<tbody>") : content.index("</tbody>")]
    rows = {re.search(r">([^<]+)<", row)[1]: row for row in first.split("<tr ")[1:]}
    assert first.count("<strong>") > 0 and "<strong>" not in rows["original"]
    assert first.count("<strong>") < first.count("</tr>") * 2


def test_facts_are_those_of_catok_info(run):
    out, summary = run
    told = replace(summary, weights={"tiny": "1" * 16}, code_spaces={"tiny": "2" * 16})
    told = replace(told, left_out={"speaker": "no <hub>"})
    text = "".join(Elements(page(out, told)).text)
    assert f"tiny {'2' * 16} (encoder and decoder too: {'1' * 16})" in text
    assert "speaker: no <hub>" in text


@pytest.mark.parametrize("rate", [8_000, 24_000, 48_000])
def test_a_tone_is_at_its_tick(rate):
    tone = torch.sin(2 * math.pi * 1000 * torch.arange(rate) / rate)[None]
    levels = mel_levels(tone, rate)
    band = int(levels[:, levels.shape[1] // 2].argmax())
    assert relative_height(1000, rate) * MELS == pytest.approx(band + 0.5, abs=0.6)
    assert relative_height(rate / 2, rate) == pytest.approx(1, abs=0.01)
    ticks = re.findall(r'text-anchor="end">([\d.]+)<', framed_spectrogram(b"", "x", rate, 1.0))
    assert ticks == {8_000: ["0.5", "1", "2"]}.get(rate, ["0.5", "1", "2", "4", "8", "16"])[:5] or (
        rate == 48_000 and ticks == ["0.5", "1", "2", "4", "8", "16"]
    )


@given(st.floats(0.05, 60))
def test_seconds_below_a_picture(seconds):
    ticks = time_ticks(seconds)
    assert ticks[0] == 0 and len(ticks) <= 8 and ticks == sorted(set(ticks))
    assert ticks[-1] <= seconds + 1e-6


def test_nothing_comes_from_elsewhere_and_nothing_is_markup(elements):
    for name, attributes in elements.found:
        for key in ("src", "href"):
            if key in attributes:
                assert attributes[key].startswith("data:"), (name, attributes[key][:60])
    names = {name for name, _ in elements.found}
    assert names.isdisjoint({"b", "i"})
    said = [text for text in elements.text if NASTY in text]
    assert any("\u201c" in text for text in said)
    assert f"Domain: {NASTY}" in elements.text


def test_the_clips_are_what_was_written(run, elements):
    out, summary = run
    for clip, audio in zip(summary.examples[0].clips, elements.named("audio"), strict=False):
        inside = base64.b64decode(audio["src"].removeprefix("data:audio/flac;base64,"))
        heard, rate = soundfile.read(io.BytesIO(inside))
        written, _ = soundfile.read(out / clip.path)
        assert rate == 8000
        assert np.array_equal(heard, written)


def test_no_examples_and_no_failures(run):
    out, summary = run
    content = page(out, replace(summary, examples=[], failures=[], codebooks={}))
    elements = Elements(content)
    assert elements.named("audio") == []
    assert "No system gave codes." in elements.text


def test_clips_are_shortened_and_examples_left_out_to_fit(tmp_path):
    examples = []
    for n in range(6):
        noise = torch.rand(1, 6 * 24_000, generator=torch.Generator().manual_seed(n)) - 0.5
        save_audio(tmp_path / f"{n}.flac", noise, 24_000)
        clips = [Clip("s", "x", "model", f"{n}.flac")] * 10
        examples.append(ExampleClips(str(n), "speech" if n < 4 else "music", None, clips))
    several = fit_to_budget(tmp_path, examples)
    assert 2 <= several.seconds < 6
    size = sum((tmp_path / f"{e.key}.flac").stat().st_size * 10 for e in several.examples)
    assert size * several.seconds / 6 * 4 / 3 <= MAX_CHARACTERS
    assert {e.domain for e in several.examples} == {"speech", "music"}
    (first,) = fit_to_budget(tmp_path, examples, budget=10_000).examples
    assert first.key == "0"
    assert fit_to_budget(tmp_path, [examples[0]]).seconds == 6


LEVELS = arrays.arrays(
    np.uint8, arrays.array_shapes(min_dims=2, max_dims=2, max_side=40), elements=st.integers(0, 9)
)


@given(LEVELS)
def test_png_reads_back(levels):
    image = Image.open(io.BytesIO(png(levels, 10)))
    image.load()
    assert np.array_equal(np.asarray(image), levels)
    assert np.array_equal(np.asarray(image.convert("RGB")), palette(10)[levels])


def test_png_refuses_what_it_cannot_show():
    with pytest.raises(ValueError, match="must lie in"):
        png(np.full((2, 2), 10, np.uint8), 10)
    with pytest.raises(ValueError, match="height"):
        png(np.zeros((0, 2), np.uint8), 10)


@pytest.mark.parametrize("rate", [8_000, 24_000, 48_000])
def test_a_tone_is_a_line_at_its_height(rate):
    time = torch.arange(6 * rate) / rate
    tone = torch.sin(2 * math.pi * 1000 * time).expand(2, -1)
    levels = mel_levels(tone, rate)
    assert levels.shape == (MELS, WIDTH)
    assert (levels.argmax(0)[2:-2] == int(levels[:, 128].argmax())).all()
    top = 15 + math.log(rate / 2000) * 27 / math.log(6.4)  # mels of half the rate
    assert int(levels[:, 128].argmax()) == pytest.approx(15 / top * (MELS + 1) - 1, abs=1)
    loud, soft = (
        spectrogram_png(mel_levels(g * tone, rate), float(levels.max())) for g in (1, 1e-5)
    )
    light = [np.asarray(Image.open(io.BytesIO(p))).max() for p in (loud, soft)]
    assert light == [39, 0]


@given(st.floats(-1e4, 1e4), st.floats(0, 1e4))
def test_axes_hold_their_values_and_have_round_ticks(low, span):
    axis = nice_axis(low, low + span)
    assert 2 <= len(axis.ticks) <= 9
    rounding = 1e-9 * (axis.high - axis.low)
    assert all(axis.low - rounding <= t <= axis.high + rounding for t in axis.ticks)
    assert axis.end <= axis(low + span) <= axis(low) <= axis.start


@given(st.lists(st.floats(0.05, 512), min_size=1, max_size=9))
def test_the_rate_axis_is_logarithmic(rates):
    axis = rate_axis(rates)
    assert 1 <= len(axis.ticks) <= 7
    assert all(axis.start < axis(math.log2(rate)) < axis.end for rate in rates)


def test_curves_go_up_where_figures_do(run):
    _, summary = run
    groups, column = summary.of_domain("all"), summary.columns[0]
    drawn = rate_curve(column, groups, ["gain", "codes", "<i>other"])
    Elements(drawn)
    path = re.search(r'<g class="c0"><polyline class="path" points="([^"]*)"', drawn)
    points = [tuple(map(float, pair.split(","))) for pair in path.group(1).split()]
    assert len(points) == 3
    assert points == sorted(points)
    assert [y for _, y in points] == sorted((y for _, y in points), reverse=True)
    assert drawn.count("<circle") == 5
    assert drawn.count("<rect") == 2
    assert 'class="top"' in drawn
    without = [replace(g, figures={column.name: Estimate(None, None, None, 0)}) for g in groups]
    assert rate_curve(column, without, ["gain"]) == ""


@given(st.text())
def test_attributes_are_escaped(value):
    ((name, attributes),) = Elements(tag("p", title=value)).found
    if value.isprintable():
        assert (name, attributes) == ("p", {"title": value})
