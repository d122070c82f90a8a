"""`catok finetune-lm`: a speech model goes on with other recordings and stays what it was."""

import json
from dataclasses import replace

import pytest

from catok import save_audio
from catok.cli import main
from catok.lm import Synthesizer
from catok.lm.sampling import SamplingConfig
from catok.lm.speech_config import SpeechConfig
from catok.training.lm.finetune import finetune_lm_recipe
from tests.cli.conftest import noise
from tests.lm.tts.conftest import save_speech_model

SAMPLING = SamplingConfig(audio_temperature=0.6, guidance=2.0)


@pytest.fixture
def model(tmp_path, small_model):
    """A synthesis model of one language, with settings of its own."""
    return save_speech_model(
        tmp_path / "model", small_model, languages=("en",), sampling=SAMPLING, num_quantizers=3
    )


@pytest.fixture
def voice(tmp_path):
    """Three recordings with their texts beside them."""
    folder = tmp_path / "voice"
    folder.mkdir()
    for seed in range(3):
        save_audio(folder / f"{seed}.wav", noise(20_000 + 3000 * seed, seed=seed), 24_000)
        (folder / f"{seed}.txt").write_text("hello")
    return folder


@pytest.mark.slow
def test_a_model_goes_on_with_a_voice(model, voice, tmp_path, capsys):
    out = tmp_path / "run"
    arguments = [str(model), "--data", str(voice), "--valid", str(voice), "--out", str(out)]
    how = ["--steps", "2", "--device", "cpu", "--set", "log_every=1", "data.clone=0.0"]
    assert main(["finetune-lm", *arguments, *how]) == 0
    lines = capsys.readouterr().err
    assert "step 1/2" in lines and "valid_tts_1" in lines and "2 of 2 steps done" in lines
    before, after = SpeechConfig.load(model), SpeechConfig.load(out / "model")
    assert (after.sampling, after.num_quantizers) == (SAMPLING, 3)  # as it is spoken with
    assert (after.languages, after.tasks) == (("en",), ("tts",))
    assert after.weight_hash == before.weight_hash
    weights = [Synthesizer.from_pretrained(f).model.state_dict() for f in (model, out / "model")]
    changed = [name for name in weights[0] if not weights[0][name].equal(weights[1][name])]
    assert changed
    log = [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]
    assert log


def test_the_recipe_is_that_of_the_model(model):
    recipe = finetune_lm_recipe(model, steps=7)
    assert (recipe.steps, recipe.init_from, recipe.tasks) == (7, str(model), {"tts": 1.0})
    assert recipe.tokenizer == str(model / "codec")
    assert recipe.data.language == "en"  # of recordings that say none
    assert recipe.data.no_text > 0  # it is guided
    replace(SpeechConfig.load(model), languages=("en", "zh")).save(model)
    assert finetune_lm_recipe(model).data.language is None
    (model / "speech.json").unlink()
    with pytest.raises(ValueError, match="give its tokenizer"):
        finetune_lm_recipe(model)
    assert finetune_lm_recipe(model, tokenizer="tiny").tokenizer == "tiny"


def test_an_audio_tokenizer_is_told_its_own_command(tmp_path, voice, capsys):
    arguments = ["finetune-lm", "tiny", "--data", str(voice), "--out", str(tmp_path / "run")]
    assert main(arguments) == 1
    assert "tiny is an audio tokenizer" in capsys.readouterr().err
