"""Transcription while somebody speaks, in OpenAI's messages."""

import base64

import pytest
import torch

from catok.lm.asr import DecodingConfig
from catok.serving.formats import as_pcm, from_pcm
from catok.serving.voice_activity import VoiceActivity
from tests.serving.conftest import noise
from tests.serving.sockets import Closed, talk

PATH = "/v1/realtime?intent=transcription"
ITEM = "conversation.item.input_audio_transcription."
MANUAL = {
    "type": "session.update",
    "session": {"type": "transcription", "audio": {"input": {"turn_detection": None}}},
}


def append(audio):
    data = base64.b64encode(as_pcm(audio)).decode()
    return {"type": "input_audio_buffer.append", "audio": data}


async def opened(connect, update=None):
    socket = await connect(PATH)
    assert (await socket.receive())["type"] == "session.created"
    if update is not None:
        await socket.send(update)
        assert (await socket.receive())["type"] == "session.updated"
    return socket


@pytest.mark.parametrize("piece", [777, 50_000])
def test_a_commit_gives_the_transcript_of_the_recording(models, piece):
    audio = from_pcm(as_pcm(noise(24_000)), 1)
    expected = models.recognizer.transcribe(audio, models.tokenizer.sample_rate, DecodingConfig())

    async def conversation(app, connect):
        socket = await opened(connect, MANUAL)
        found = []
        for _ in range(2):
            for part in audio.split(piece, dim=1):
                await socket.send(append(part))
            await socket.send({"type": "input_audio_buffer.commit"})
            found.append(await socket.until(ITEM + "completed"))
        await socket.leave()
        return found

    first, second = talk(models, conversation)
    committed, *deltas, completed = first
    assert completed["transcript"] == expected.text != ""
    assert "".join(each["delta"] for each in deltas) == expected.text
    assert completed["usage"] == {"type": "duration", "seconds": 1.0}
    assert {each["item_id"] for each in first} == {committed["item_id"]}
    assert committed["previous_item_id"] is None
    assert second[0]["previous_item_id"] == committed["item_id"]
    assert second[-1]["transcript"] == expected.text


def test_turns_end_where_nobody_speaks(models):
    quiet = torch.zeros(1, 24_000)
    stream = torch.cat([quiet, noise(24_000), quiet, noise(36_000, seed=1), quiet], dim=1)

    async def conversation(app, connect):
        socket = await opened(connect)
        for part in stream.split(4801, dim=1):
            await socket.send(append(part))
        events = [*await socket.until(ITEM + "completed"), *await socket.until(ITEM + "completed")]
        await socket.leave()
        return events

    events = talk(models, conversation)
    starts = [each["audio_start_ms"] for each in events if each["type"].endswith("started")]
    stops = [each["audio_end_ms"] for each in events if each["type"].endswith("stopped")]
    # 300 ms before it belong to a turn, and what the message had begun with
    assert starts == pytest.approx([700, 2700], abs=80)
    assert stops == pytest.approx([2500, 5000], abs=80)


@pytest.mark.parametrize(
    "message",
    [
        b"\0\0",
        {"type": "response.create"},
        {"type": "session.update", "session": {"audio": {"input": {"format": {"rate": 8000}}}}},
        {"type": "input_audio_buffer.append", "audio": "!"},
        {"type": "input_audio_buffer.append", "audio": "AA=="},
        {"type": "input_audio_buffer.append"},
    ],
)
def test_garbage_is_answered_and_frees_everything(models, message):
    async def conversation(app, connect):
        socket = await opened(connect)
        await socket.send(message)
        answer = await socket.receive()
        with pytest.raises(Closed):
            await socket.receive()
        return answer, [gate.inside for gate in app.state.gates.values()]

    answer, inside = talk(models, conversation)
    assert answer["type"] == "error" and not any(inside)


def test_who_goes_away_in_a_turn_leaves_nothing_behind(models):
    async def conversation(app, connect):
        socket = await opened(connect, MANUAL)
        await socket.send(append(noise(9600)))
        await socket.send({"type": "input_audio_buffer.clear"})
        await socket.send(append(noise(9600)))
        await socket.leave()
        scheduler = app.state.service.scheduler
        await scheduler.call(lambda: None)
        return [len(pool) for pool in scheduler.encoding], app.state.gates["session"].inside

    rows, inside = talk(models, conversation)
    assert not any(rows) and inside == 0


def test_voice_activity_does_not_depend_on_pieces_and_follows_the_background():
    hum = 0.02 * torch.randn(1, 72_000, generator=torch.Generator().manual_seed(3))
    stream = torch.cat([hum, hum[:, :24_000] + noise(24_000), hum], dim=1)

    def turns(piece):
        activity = VoiceActivity(1, 24_000, 960, silence_seconds=0.48)
        return [each for part in stream.split(piece, dim=1) for each in activity.push(part)]

    started, stopped = [each for each in turns(1 << 20) if each.sample > 960 * 20]
    assert (started.kind, stopped.kind) == ("started", "stopped")
    assert (started.sample, stopped.sample) == (72_000, 96_000 + 12 * 960)
    for piece in (97, 959, 4000):
        assert turns(piece) == turns(1 << 20)
