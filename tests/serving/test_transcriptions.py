"""`/v1/audio/transcriptions` in every shape."""

import asyncio
import io
import json

import pytest
import torch

from catok.lm.asr import DecodingConfig
from catok.lm.asr.subtitles import subrip, webvtt
from catok.lm.asr.transcript import Transcript, Word
from catok.serving.models import Models
from tests.serving.client import ask
from tests.serving.conftest import noise
from tests.serving.test_tokens import as_wav

URL = "/v1/audio/transcriptions"
QUICK = {"method": "greedy"}


async def sent(client, audio, **fields):
    fields = {name: value for name, value in (QUICK | fields).items()}
    return await client.post(URL, files={"file": ("a.wav", as_wav(audio))}, data=fields)


def heard(audio):
    """What a 16-bit file holds of it."""
    from catok import load_audio

    return load_audio(io.BytesIO(as_wav(audio)))[0]


def test_every_shape_says_the_same(models):
    audio = noise(30_000)
    config = DecodingConfig("ctc", timestamps=True)
    transcript = models.recognizer.transcribe(heard(audio), 24_000, config)

    both = {"timestamp_granularities[]": ["word", "segment"]}

    async def talk(client):
        kinds = ("json", "text", "srt", "vtt", "verbose_json")
        found = {k: await sent(client, audio, method="ctc", response_format=k) for k in kinds}
        how = {"method": "ctc", "response_format": "verbose_json", **both}
        found["words"] = await sent(client, audio, **how)
        found["stream"] = await sent(client, audio, method="ctc", stream="true")
        return found

    found = ask(models, talk)
    assert found["json"].json()["text"] == transcript.text
    assert found["json"].json()["usage"] == {"type": "duration", "seconds": 1.25}
    assert found["text"].text == transcript.text + "\n"
    assert found["srt"].text == subrip(transcript, 1.25)
    assert found["vtt"].text == webvtt(transcript, 1.25)
    assert found["vtt"].headers["content-type"].startswith("text/vtt")
    verbose, words = found["verbose_json"].json(), found["words"].json()
    assert "words" not in verbose and verbose["text"] == transcript.text
    assert verbose["duration"] == 1.25 and verbose["task"] == "transcribe"
    (segment,) = verbose["segments"]
    assert segment["text"] == transcript.text and (segment["start"], segment["end"]) == (0, 1.25)
    assert [each["word"] for each in words["words"]] == [w.text for w in transcript.words]
    *deltas, done = [json.loads(line[6:]) for line in found["stream"].text.split("\n\n") if line]
    assert "".join(each["delta"] for each in deltas) == done["text"] == transcript.text
    assert done["type"] == "transcript.text.done" and done["usage"]["type"] == "duration"


@pytest.mark.slow
def test_many_at_a_time_get_what_each_gets_alone(models):
    recordings = [noise(9_000 + 3_000 * n, n) for n in range(6)]

    async def talk(client):
        together = await asyncio.gather(*(sent(client, each) for each in recordings))
        return together, [await sent(client, each) for each in recordings]

    together, alone = ask(models, talk)
    assert [a.json()["text"] for a in together] == [a.json()["text"] for a in alone]
    for audio, answer in zip(recordings, alone, strict=True):
        config = DecodingConfig("greedy")
        assert (
            answer.json()["text"] == models.recognizer.transcribe(heard(audio), 24_000, config).text
        )


def test_long_recordings_come_in_segments(models):
    audio = noise(65 * 24_000)
    expected = models.recognizer.transcribe(heard(audio), 24_000, DecodingConfig("ctc"))

    async def talk(client):
        how = {"method": "ctc", "response_format": "verbose_json"}
        whole = await sent(client, audio, **how)
        return whole, await sent(client, audio, method="ctc", stream="true")

    whole, stream = ask(models, talk)
    assert len(whole.json()["segments"]) >= 3 and whole.json()["text"] == expected.text
    deltas = [json.loads(line[6:]) for line in stream.text.split("\n\n") if line]
    assert len(deltas) >= 4 and deltas[-1]["text"] == expected.text


@pytest.mark.parametrize("seconds", [1.25, 31])
def test_codes_are_read_as_they_are(models, seconds):
    encoded = models.tokenizer.encode(noise(int(seconds * 24_000))[None], num_quantizers=3)
    expected = models.recognizer.transcribe_codes(encoded, DecodingConfig("ctc"))
    file = io.BytesIO()
    encoded.save(file)

    async def talk(client):
        files = {"file": ("a.cat", file.getvalue())}
        return await client.post(URL, files=files, data={"method": "ctc"})

    answer = ask(models, talk)
    assert answer.status_code == 200 and answer.json()["usage"]["seconds"] == seconds
    assert answer.json()["text"] == expected.text


@pytest.mark.parametrize(
    "body",
    [
        {"json": {"file": "x"}},
        {"data": {"model": "m"}},
        {"files": {"file": ("a.wav", b"")}},
        {"files": {"file": ("a.wav", b"no sound")}},
        {"files": {"file": ("a.wav", as_wav(noise(9)))}, "data": {"response_format": "xml"}},
        {"files": {"file": ("a.wav", as_wav(noise(9)))}, "data": {"temperature": "hot"}},
        {"files": {"file": ("a.wav", as_wav(noise(9)))}, "data": {"num_quantizers": "99"}},
        {"files": {"file": ("a.wav", as_wav(noise(9)))}, "data": {"beam": "0"}},
    ],
)
def test_what_does_not_fit_is_refused(models, body):
    async def talk(client):
        return await client.post(URL, **body)

    answer = ask(models, talk)
    assert answer.status_code == 400 and answer.json()["error"]["message"]


def test_too_long_a_recording_is_refused_and_without_a_head_there_are_no_times(models, headless):
    async def long(client):
        return await sent(client, noise(50_000))

    assert ask(models, long, max_audio_seconds=2.0).status_code == 413

    async def words(client):
        return await sent(client, noise(9_000), timestamp_granularities="word"), await sent(
            client, noise(9_000), response_format="srt"
        )

    bare = Models(models.tokenizer, recognizer=headless)
    refused, cue = ask(bare, words)
    assert refused.status_code == 400 and "times of words" in refused.json()["error"]["message"]
    assert cue.status_code == 200


def test_webvtt_is_of_that_form():
    words = (Word("a<b", 0.0, 0.5), Word("&", 0.6, 3723.004))
    found = webvtt(Transcript("a<b &", (), 0.0, words), 3723.004)
    assert found.startswith("WEBVTT\n\n00:00:00.000 --> 00:00:00.500\na&lt;b\n")
    assert "00:00:00.600 --> 01:02:03.004\n&amp;\n" in found
    assert webvtt(Transcript("", (), 0.0), 1.0) == "WEBVTT\n"


@pytest.fixture(scope="module")
def headless(small_model):
    from tests.lm.asr.conftest import make

    assert torch.is_tensor(noise(1))
    return make(small_model, with_head=False)
