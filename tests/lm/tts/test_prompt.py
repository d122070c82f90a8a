"""What the model reads: the released prompt, its fields, and references as codes."""

import torch

from catok import save_audio
from catok.lm.tts import SpeechRequest
from tests.lm.tts.conftest import voice


def test_prompts_are_those_of_the_released_format(synth):
    codes = synth.encode_reference(voice())
    user = "user\n<user_inst>\n- Reference(s):\n{}\n- Instruction:\nNone\n- Tokens:\nNone\n"
    user += "- Quality:\nNone\n- Sound Event:\nNone\n- Ambient Sound:\nNone\n- Language:\nen\n"
    user += "- Text:\n{}\n</user_inst>\nassistant\n"

    def told(**how):
        request = SpeechRequest("after", codes, language="en", **how)
        tokens = synth.prompt(request).tokens
        spelled, untold = (
            synth.prompt_builder.text.decode(rows[:, 0].tolist())
            for rows in (tokens.conditional, tokens.unconditional)
        )
        before, _, after = spelled.partition("- Text:\n")
        assert untold == before + "- Text:\nNone\n" + after[after.index("</user_inst>") :]
        frames = [rows[rows[:, 0] == 6] for rows in (tokens.conditional, tokens.unconditional)]
        assert torch.equal(*frames)
        return spelled, tokens

    for mode, said in (("clone", None), ("clone", "before"), (None, None)):
        text, tokens = told(mode=mode, reference_text=said)
        assert text == user.format("[S1]:\n", "after")
        assert tokens.prefix.shape == (4, 0)
        assert int(tokens.conditional[-1, 0]) == 3  # audio_start
    for mode in ("continuation", None):
        text, tokens = told(mode=mode, reference_text="before")
        assert text == user.format("None", "before after")
        assert torch.equal(tokens.prefix, codes)
        assert torch.equal(tokens.conditional[-10:, 1:], codes.T)
        assert (tokens.conditional[-10:, 0] == 6).all()
    text, tokens = told(mode="both", reference_text="\u524d")
    assert text == user.format("[S1]:\n", "\u524dafter")
    ids = tokens.conditional[:, 0]
    assert int((ids == 5).sum()) == int((ids == 6).sum()) == 10


def test_references_in_every_form_give_the_same_codes(synth, tmp_path):
    mono = voice(1.0)
    codes = synth.encode_reference(mono)
    save_audio(tmp_path / "voice.wav", mono, 24_000, subtype="FLOAT")
    assert torch.equal(synth.encode_reference(tmp_path / "voice.wav"), codes)
    assert torch.equal(synth.encode_reference((mono, 24_000)), codes)
    for array in (mono.numpy(), (mono.numpy(), 24_000), codes.numpy()):
        assert torch.equal(synth.encode_reference(array), codes)
    assert torch.equal(synth.encode_reference((mono.expand(2, -1), 24_000)), codes)
    assert synth.encode_reference((mono, 16_000)).shape == (4, 18)
    assert not torch.equal(synth.encode_reference(0.5 * mono), codes)  # 3 dB are not enough
    assert torch.equal(synth.encode_reference(1.2 * mono), synth.encode_reference(1.3 * mono))


def test_all_fields_of_the_released_prompt_are_said(synth):
    request = SpeechRequest(
        "Hello.",
        instruction="Whisper.",
        tokens=25,
        quality="clean",
        sound_event="rain",
        ambient_sound="street",
        language="en",
    )
    ids = synth.prompt(request).tokens.conditional[:, 0].tolist()
    spelled = synth.prompt_builder.text.decode(ids)
    assert spelled == (
        "user\n<user_inst>\n- Reference(s):\nNone\n- Instruction:\nWhisper.\n- Tokens:\n25\n"
        "- Quality:\nclean\n- Sound Event:\nrain\n- Ambient Sound:\nstreet\n- Language:\nen\n"
        "- Text:\nHello.\n</user_inst>\nassistant\n"
    )


def test_several_speakers_are_numbered(synth):
    first, second = (synth.encode_reference(voice(seed=seed)) for seed in (0, 1))
    request = SpeechRequest("[S1] Hi. [S2] Hello.", [first, None, second])
    rows = synth.prompt(request).tokens.conditional
    spelled = synth.prompt_builder.text.decode(rows[:, 0].tolist())
    assert "- Reference(s):\n[S1]:\n\n[S3]:\n\n- Instruction" in spelled
    codes = rows[rows[:, 0] == 5][:, 1:].T
    assert torch.equal(codes, torch.cat([first, second], dim=1))
