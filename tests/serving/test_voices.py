"""Voices: added with consent, kept in a folder, known by OpenAI's names."""

import io

import pytest
import torch

from catok import save_audio
from catok.serving.service import Service
from catok.serving.voices import OPENAI_VOICES, Voices
from tests.lm.tts.conftest import voice
from tests.serving.client import ask
from tests.serving.speech_requests import as_file, asked, close, expected, sound_of

URL = "/v1/audio/voices"
FORM = {"name": "anna", "consent": "I, Anna, agree.", "ref_text": "A cab."}


async def add(client, **fields):
    files = {"audio_sample": ("x/../../y.wav", as_file(voice()))}
    return await client.post(URL, data=FORM | fields, files=files)


def test_a_voice_is_added_used_listed_and_removed(models, tmp_path):
    async def talk(client):
        added = await add(client)
        listed = (await client.get(URL)).json()
        by_name = await client.post("/v1/audio/speech", json=asked(voice="anna"))
        by_id = await client.post("/v1/audio/speech", json=asked(voice={"id": added.json()["id"]}))
        speaker = await client.post("/v1/audio/speech", json=asked(speaker="anna"))
        twice = await add(client)
        return added, listed, (by_name, by_id, speaker), twice

    added, listed, spoken, twice = ask(models, talk, voices=str(tmp_path))
    assert added.status_code == 200 and added.json()["consent"]
    assert "anna" in listed["voices"] and listed["uploaded_voices"][0]["name"] == "anna"
    codes = models.synthesizer.encode_reference(voice())
    for answer in spoken:
        wanted = expected(models, reference=codes, reference_text="A cab.")
        assert answer.status_code == 200 and close(sound_of(answer)[:, :100], wanted[:, :100])
    assert twice.status_code == 409
    (path,) = tmp_path.iterdir()  # under a name of the server's own, in that folder
    assert path.name == f"{added.json()['id']}.json"

    async def later(client):
        again = (await client.get(URL)).json()
        gone = await client.delete(f"{URL}/anna")
        return again, gone, await client.delete(f"{URL}/anna"), (await client.get(URL)).json()

    again, gone, twice, after = ask(models, later, voices=str(tmp_path))
    assert again == listed
    assert gone.json()["deleted"] and twice.status_code == 404
    assert "anna" not in after["voices"] and not list(tmp_path.iterdir())


def test_openais_names_are_local_voices(models, tmp_path):
    save_audio(tmp_path / "anna.wav", voice(), 24_000)
    (tmp_path / "anna.txt").write_text("A cab.\n")
    save_audio(tmp_path / "bert.wav", voice(seed=3), 24_000)
    voices = Voices(models.synthesizer, tmp_path, {"nova": "bert", "me": "anna"}, 9)
    assert voices.names() == ["default", "anna", "bert"]
    for name in OPENAI_VOICES:
        assert voices.find(name).name in ("anna", "bert")
    assert voices.find("Alloy").name == "anna" and voices.find("alloy").text == "A cab."
    assert voices.find("nova").name == "bert" and voices.find("me").name == "anna"
    assert voices.find(None) is voices.find("default") is None
    bare = Voices(models.synthesizer, None, {}, 9)
    assert all(bare.find(name) is None for name in OPENAI_VOICES)
    with pytest.raises(ValueError, match="no voices called"):
        Voices(models.synthesizer, None, {"a": "nobody"}, 9)
    with pytest.raises(ValueError, match="no folder"):
        Voices(models.synthesizer, tmp_path / "none", {}, 9)


def test_what_does_not_fit_is_refused(models, tmp_path):
    async def talk(client):
        answers = [
            await add(client, consent=" "),
            await add(client, name=""),
            await add(client, name="../../etc/passwd"),
            await add(client, name="alloy"),
            await add(client, name="default"),
            await add(client, name="a" * 65),
            await add(client, ref_text="a" * 5000),
            await client.post(URL, data=FORM),
            await client.post(URL, json=FORM),
            await client.post(URL, data=FORM, files={"audio_sample": b"no sound"}),
            await client.post(URL, data=FORM, files={"audio_sample": as_file(voice(0.2))}),
        ]
        kept = await add(client), await add(client, name="b")
        return answers, kept, await client.delete(f"{URL}/..%2f..%2fetc")

    answers, (first, second), odd = ask(models, talk, voices=str(tmp_path), max_voices=1)
    assert [answer.status_code for answer in answers] == [400] * len(answers)
    assert answers[0].json()["error"]["code"] == "consent_required"
    assert first.status_code == 200 and second.status_code == 409
    assert odd.status_code == 404
    assert len(list(tmp_path.iterdir())) == 1


def test_a_reference_may_not_unpack_to_hours(models):
    """A file of silence is small; no more of it is read than a reference may have."""
    file = io.BytesIO()
    file.name = "x.flac"
    save_audio(file, torch.zeros(1, 24_000 * 600), 24_000)
    read = []

    async def talk(client):
        service: Service = client.app.state.service
        original = service.read

        async def counting(*arguments):
            async for block in original(*arguments):
                read.append(block.shape[1])
                yield block

        service.read = counting
        return await client.post(URL, data=FORM, files={"audio_sample": file.getvalue()})

    answer = ask(models, talk)
    assert answer.status_code == 413 and sum(read) <= 63 * 24_000
