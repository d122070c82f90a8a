"""The page of web/tokenizer in a real browser, with a microphone that plays a recording."""

import json
from dataclasses import replace
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import numpy as np
import pytest

from catok import CausalAudioTokenizer, Encoded, load_audio, save_audio
from catok.cli import main
from catok.export import OnnxRuntime
from tests import browser

ROOT = Path(__file__).parents[2]
HOME = ROOT / "web" / "tokenizer"
EXAMPLE = ROOT / "examples" / "speech.flac"
PROGRAM = browser.find()
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(PROGRAM is None, reason="no Chromium"),
    pytest.mark.skipif(
        not (HOME / "node_modules" / "onnxruntime-web").is_dir(),
        reason="no npm packages in web/tokenizer: make web",
    ),
]


@pytest.fixture(scope="module")
def dist(tmp_path_factory) -> Path:
    """The page as `make web` builds it."""
    spec = spec_from_file_location("build_page", HOME / "build.py")
    assert spec is not None and spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    folder = tmp_path_factory.mktemp("web") / "dist"
    module.build(folder)
    return folder


@pytest.fixture(scope="module")
def recording(tmp_path_factory) -> Path:
    """Two seconds of speech and a part of a frame, as a file."""
    audio, rate = load_audio(EXAMPLE)
    path = tmp_path_factory.mktemp("recordings") / "speech.wav"
    save_audio(path, audio[:, : 2 * rate + 7], rate)
    return path


@pytest.fixture(scope="module")
def page(dist, recording, tmp_path_factory):
    flags = (
        "--use-fake-device-for-media-stream",
        "--use-fake-ui-for-media-stream",
        f"--use-file-for-fake-audio-capture={recording}",
    )
    assert PROGRAM is not None
    with (
        browser.static_host(dist) as address,
        browser.Page(PROGRAM, tmp_path_factory.mktemp("profile"), flags) as page,
    ):
        page.visit(address)
        says(page, "Ready: tiny with 8 bits.")
        yield page


@pytest.fixture(scope="module")
def exact(page, recording):
    """The page with weights in 32 bits, once it has heard the recording."""
    page.choose("#source", recording)
    page.until("!document.getElementById('cat-file').hidden")
    choose(page, "dtype", "float32")
    says(page, "encoded in", "The recording")
    page.until("!document.getElementById('cat-file').hidden")
    return page


def says(page, *parts):
    text = "document.getElementById('status').textContent"
    page.until(" && ".join(f"{text}.includes({json.dumps(part)})" for part in parts), 90)


def choose(page, name, value):
    page.ask(
        f"(() => {{ const each = document.getElementById('{name}'); each.value = '{value}';"
        " each.dispatchEvent(new Event('input')); each.dispatchEvent(new Event('change')); })()"
    )


def known(page, what):
    """A value of the page's module: the same module, as it was imported already."""
    return page.ask(f"import('./main.js').then((page) => {what})")


def codes_of(page) -> np.ndarray:
    return np.array(known(page, "page.encoded.codes"))


def samples_of(page) -> np.ndarray:
    """Audio `[1, 1, T]` as the browser has it."""
    return np.array(known(page, "Array.from(page.samples)"), np.float32)[None, None]


def codes_in_python(folder: Path, audio: np.ndarray) -> np.ndarray:
    """Codes `[K, F]` of the same graphs, frame by frame."""
    runtime = OnnxRuntime(folder, threads=1)
    frame = runtime.description.frame_size
    audio = np.pad(audio, ((0, 0), (0, 0), (0, -audio.shape[2] % frame)))
    state, codes = runtime.encoder_state(), []
    for start in range(0, audio.shape[2], frame):
        part, state = runtime.encode_step(audio[:, :, start : start + frame], state, in_place=True)
        codes.append(part)
    return np.concatenate(codes, axis=2)[0]


def decoded_of(page) -> np.ndarray:
    """Audio `[T]` of the player."""
    integers = page.ask(
        "fetch(document.getElementById('decoded').src).then((answer) => answer.arrayBuffer())"
        ".then((bytes) => Array.from(new Int16Array(bytes, 44)))"
    )
    return np.array(integers, np.float32) / 32768


def test_codes_of_8_bits_are_nearly_those_of_python(page, dist, recording):
    page.choose("#source", recording)
    page.until("!document.getElementById('cat-file').hidden")
    codes = codes_of(page)
    assert codes.shape == (32, 26)
    equal = codes == codes_in_python(dist / "models" / "int8", samples_of(page))
    assert equal[0].mean() > 0.95 and equal.mean() > 0.9


def test_codes_of_32_bits_are_those_of_python(exact, dist):
    expected = codes_in_python(dist / "models" / "float32", samples_of(exact))
    assert np.array_equal(codes_of(exact), expected)


def test_a_prefix_as_sound_and_as_a_file(exact, dist, tmp_path):
    choose(exact, "bitrate", 8)
    exact.until(
        "document.getElementById('bitrate-shown').textContent == '1.000 kbit/s, 8 codebooks'"
    )
    exact.until("document.getElementById('decoded-size').textContent.startsWith('from 3')")
    exact.call("Page.setDownloadBehavior", behavior="allow", downloadPath=str(tmp_path))
    exact.ask("document.getElementById('cat-file').click()")
    path = exact.until_file(tmp_path / "audio.cat")
    encoded = Encoded.load(path)
    tok = CausalAudioTokenizer.from_pretrained("tiny")
    assert (encoded.model_id, encoded.weight_hash) == ("tiny", tok.weight_hash)
    assert encoded.sample_lengths.tolist() == [samples_of(exact).shape[2]]
    assert np.array_equal(encoded.codes[0].numpy(), codes_of(exact)[:8])
    assert main(["decode", str(path), "-o", str(tmp_path / "again.wav")]) == 0
    again = load_audio(tmp_path / "again.wav")[0][0].numpy()
    np.testing.assert_allclose(decoded_of(exact), again, atol=2 / 32768)


def test_a_file_of_pythons(exact, dist, tmp_path):
    tok = CausalAudioTokenizer.from_pretrained("tiny")
    audio, _ = load_audio(EXAMPLE)
    encoded = tok.encode(audio[None, :, :10_000], num_quantizers=3)
    replace(encoded, weight_hash="").save(tmp_path / "nobody's.cat")
    exact.choose("#source", tmp_path / "nobody's.cat")
    says(exact, "Decoded nobody's.cat.")
    encoded.save(tmp_path / "short.cat")
    exact.choose("#source", tmp_path / "short.cat")
    says(exact, "Decoded short.cat.")
    assert np.array_equal(codes_of(exact), encoded.codes[0].numpy())
    expected = tok.decode(encoded)[0, 0].numpy()
    np.testing.assert_allclose(decoded_of(exact), expected, atol=2 / 32768)
    assert exact.ask("document.getElementById('original-figure').hidden")


@pytest.mark.parametrize("at", [0, 5, 20, 60, -1])
def test_damaged_files(exact, tmp_path, at):
    tok = CausalAudioTokenizer.from_pretrained("tiny")
    path = tmp_path / f"damaged{at}.cat"
    tok.encode(np.zeros((1, 1, 3000), np.float32)).save(path)
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(data)
    exact.choose("#source", path)
    says(exact, {0: "no .cat file", 5: "of a version"}.get(at, "damaged or cut short"))


def test_codes_of_another_model(exact, small_model, tmp_path):
    small_model.encode(np.zeros((1, 1, 3000), np.float32)).save(tmp_path / "other.cat")
    exact.choose("#source", tmp_path / "other.cat")
    says(exact, "other.cat holds codes of small, which this tiny cannot decode.")


def test_the_microphone(exact, dist):
    exact.ask("document.getElementById('record').click()")
    says(exact, "Listening.")
    exact.until("parseInt(document.getElementById('heard').textContent) > 12")
    assert exact.ask("document.getElementById('record').getAttribute('aria-pressed')") == "true"
    exact.ask("document.getElementById('record').click()")
    says(exact, "The recording: ", "encoded in")
    exact.until("!document.getElementById('cat-file').hidden")
    audio = samples_of(exact)
    assert np.abs(audio).max() > 0.01
    expected = codes_in_python(dist / "models" / "float32", audio)
    assert np.array_equal(codes_of(exact), expected)


def test_no_complaints_and_nothing_from_elsewhere(exact):
    assert exact.errors() == []
    origin = exact.ask("location.origin")
    assert all(each.startswith((origin, "blob:", "data:")) for each in exact.requests())


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1200])
def test_accessible_on_a_phone_and_a_desk(exact, scheme, width):
    exact.show_as("tokenizer", width, scheme)
    assert exact.ask("document.documentElement.scrollWidth") <= width
    assert exact.accessibility_violations() == []
