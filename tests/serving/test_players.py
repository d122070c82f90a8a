"""Every format of `/v1/audio/speech` in ffmpeg and in a browser's `<audio>`, whole and streamed."""

import json
import shutil
import subprocess

import httpx2 as httpx
import numpy as np
import pytest

from tests import browser
from tests.serving.client import running

PROGRAM = browser.find()
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(PROGRAM is None, reason="no Chromium"),
    pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="no ffmpeg"),
]
URL = "/v1/audio/speech"
FORMATS = ("wav", "flac", "opus", "mp3", "aac")
PADDING = 0.07  # seconds of silence that MP3 and AAC may put around, or a block of FLAC
PLAY = """
fetch('%s', {
  method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(%s),
}).then(async (answer) => {
  const audio = new Audio(URL.createObjectURL(await answer.blob()));
  audio.playbackRate = 4;
  const events = [];
  for (const name of ['canplay', 'ended', 'error']) {
    audio.addEventListener(name, () => events.push(name));
  }
  const over = new Promise((done) => { audio.onended = audio.onerror = done; });
  audio.play().catch(() => {});
  await over;
  return JSON.stringify({ events, duration: audio.duration, heard: audio.currentTime });
})
"""


@pytest.fixture(scope="module")
def address(models):
    with running(models) as (address, _):
        yield address


@pytest.fixture(scope="module")
def page(address, tmp_path_factory):
    assert PROGRAM is not None
    with browser.Page(PROGRAM, tmp_path_factory.mktemp("profile")) as page:
        page.visit(f"{address}/health")
        yield page


def body(format, stream):
    return {"input": "A bed.", "seed": 1, "response_format": format, "stream": stream}


@pytest.fixture(scope="module")
def samples(address):
    """What is said, as 16-bit samples at 24 kHz."""
    answer = httpx.post(address + URL, json=body("pcm", False))
    return np.frombuffer(answer.content, "<i2")


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("format", [*FORMATS, "pcm"])
def test_ffmpeg_decodes(address, samples, format, stream):
    data = httpx.post(address + URL, json=body(format, stream)).content
    raw = ["-f", "s16le", "-ar", "24000", "-ac", "1"]
    given = raw if format == "pcm" else []
    line = ["ffmpeg", "-v", "error", *given, "-i", "pipe:0", *raw, "pipe:1"]
    done = subprocess.run(line, input=data, capture_output=True)
    assert (done.returncode, done.stderr) == (0, b"")
    found = np.frombuffer(done.stdout, "<i2")
    assert 0 <= len(found) - len(samples) <= PADDING * 24_000
    if format in ("wav", "flac", "pcm"):
        assert np.abs(found.astype(int) - samples).max() <= 2  # sound rounds with its batch


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("format", FORMATS)
def test_a_browser_plays(page, samples, format, stream):
    played = json.loads(page.ask(PLAY % (URL, json.dumps(body(format, stream)))))
    assert played["events"] == ["canplay", "ended"]
    assert played["heard"] == played["duration"]
    assert abs(played["duration"] - len(samples) / 24_000) <= PADDING


def test_a_browser_refuses_samples_without_a_header(page):
    played = json.loads(page.ask(PLAY % (URL, json.dumps(body("pcm", False)))))
    assert played["events"] == ["error"]
