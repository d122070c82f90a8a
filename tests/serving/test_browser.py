"""The page at `/` in a real browser, with a microphone that plays a recording."""

from pathlib import Path

import pytest
import torch

from catok import CausalAudioTokenizer, Encoded, load_audio, save_audio
from catok.serving import ServerConfig, load_models
from catok.serving.formats import as_pcm, from_pcm
from tests import browser
from tests.serving.client import running

PROGRAM = browser.find()
EXAMPLE = Path(__file__).parents[2] / "examples" / "speech.flac"
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(PROGRAM is None, reason="no Chromium"),
]


@pytest.fixture(scope="module")
def recording(tmp_path_factory):
    """Two seconds of speech as a file."""
    audio, rate = load_audio(EXAMPLE)
    path = tmp_path_factory.mktemp("microphone") / "speech.wav"
    save_audio(path, audio[:, : 2 * rate], rate)
    return path


@pytest.fixture(scope="module")
def microphone(recording):
    """The same and a pause, which ends a turn."""
    audio, rate = load_audio(recording)
    path = recording.with_name("microphone.wav")
    save_audio(path, torch.cat([audio, torch.zeros(1, rate)], dim=1), rate)
    return path


@pytest.fixture(scope="module")
def page(microphone, tmp_path_factory):
    flags = (
        "--use-fake-device-for-media-stream",
        "--use-fake-ui-for-media-stream",
        f"--use-file-for-fake-audio-capture={microphone}",
    )
    models = load_models(ServerConfig(), "cpu")
    folder = tmp_path_factory.mktemp("profile")
    with running(models, max_seconds=2.0) as (address, _):
        assert PROGRAM is not None
        with browser.Page(PROGRAM, folder, flags) as page:
            page.visit(address)
            page.until("document.getElementById('voice').options.length > 0")
            yield page


def text(page, name):
    return page.ask(f"document.getElementById('{name}').textContent")


def filled(page, name):
    """Whether something is drawn on a canvas."""
    return page.ask(
        f"(() => {{ const c = document.getElementById('{name}'); return c.getContext('2d')"
        ".getImageData(0, 0, c.width, c.height).data.some((value) => value > 0); })()"
    )


def test_speak(page):
    page.ask("document.getElementById('text').value = 'Hello.'")
    page.ask("document.getElementById('speak').requestSubmit()")
    page.until("!document.getElementById('speech-file').hidden")
    assert "s of speech, the first after" in text(page, "speak-status")
    assert filled(page, "speak-wave") and filled(page, "speak-codes")


def test_codes_are_those_of_the_library(page, recording, tmp_path):
    page.choose("#source", recording)
    page.until("document.getElementById('decoded-size').textContent")
    assert "25 frames of 32 codes" in text(page, "tokenizer-status")
    page.ask("document.getElementById('bitrate').value = 8")
    page.ask("document.getElementById('bitrate').dispatchEvent(new Event('change'))")
    page.until(
        "document.getElementById('bitrate-shown').textContent == '1.000 kbit/s, 8 codebooks'"
    )
    for name in ("codes", "original-spectrogram", "decoded-spectrogram"):
        assert filled(page, name)
    folder = str(tmp_path)
    page.call("Page.setDownloadBehavior", behavior="allow", downloadPath=folder)
    page.ask("document.getElementById('cat-file').click()")
    found = page.until_file(tmp_path / "audio.cat")
    encoded = Encoded.load(found)
    audio, _ = load_audio(recording)
    expected = CausalAudioTokenizer.from_pretrained("tiny").encode(
        from_pcm(as_pcm(audio), 1)[None], num_quantizers=8
    )
    assert torch.equal(encoded.codes, expected.codes)
    expected.prefix(2).save(tmp_path / "two.cat")
    two_books = (tmp_path / "two.cat").stat().st_size
    page.choose("#source", found)
    page.until("document.getElementById('tokenizer-status').textContent == 'Decoded audio.cat.'")
    assert page.ask("document.getElementById('original-figure').hidden")
    assert page.ask("document.getElementById('bitrate').max") == "8"
    page.ask("document.getElementById('bitrate').value = 2")
    page.ask("document.getElementById('bitrate').dispatchEvent(new Event('change'))")
    page.until(f"document.getElementById('decoded-size').textContent == 'from {two_books} bytes'")


def test_listen_with_the_microphone(page):
    page.ask("document.getElementById('listen').click()")
    page.until("document.getElementById('listen-status').textContent == 'Listening.'")
    page.until("document.querySelector('#transcript p')?.textContent", 90)
    page.ask("document.getElementById('listen').click()")
    page.until("document.getElementById('listen-status').textContent == 'Stopped.'")


def test_load_and_no_complaints(page):
    page.until("document.getElementById('load').rows.length == 4")
    assert page.errors() == []
    origin = page.ask("location.origin")
    assert all(each.startswith((origin, "blob:", "data:")) for each in page.requests())


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1200])
def test_accessible_on_a_phone_and_a_desk(page, scheme, width):
    page.show_as("page", width, scheme)
    assert page.ask("document.documentElement.scrollWidth") <= width
    assert page.accessibility_violations() == []
