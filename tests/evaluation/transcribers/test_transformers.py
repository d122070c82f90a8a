"""A small random Whisper of transformers, from a folder."""

import numpy as np
import pytest
import torch

from catok.evaluation.transcribers import build_transcriber

transformers = pytest.importorskip("transformers")

SPECIAL = ("<|endoftext|>", "<|startoftranscript|>", "<|en|>", "<|transcribe|>", "<|translate|>")
TOKENS = (*SPECIAL, "<|de|>", *"abcdefghi", "<|notimestamps|>")  # what follows would be times


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Random weights; writes letters."""
    tokens = {token: index for index, token in enumerate(TOKENS)}
    tokenizer = transformers.WhisperTokenizer(vocab=tokens, merges=[])
    tokenizer.add_special_tokens({"additional_special_tokens": [t for t in TOKENS if "|" in t]})
    torch.manual_seed(0)
    config = transformers.WhisperConfig(
        vocab_size=len(TOKENS),
        d_model=16,
        encoder_layers=1,
        decoder_layers=1,
        encoder_attention_heads=2,
        decoder_attention_heads=2,
        encoder_ffn_dim=16,
        decoder_ffn_dim=16,
        max_target_positions=16,
        pad_token_id=0,
        bos_token_id=0,
        eos_token_id=0,
        decoder_start_token_id=1,
    )
    model = transformers.WhisperForConditionalGeneration(config)
    settings = {
        "_from_model_config": False,  # or these are lost on the way to disk and back
        "max_length": 9,
        "is_multilingual": True,
        "lang_to_id": {"<|en|>": 2, "<|de|>": 5},
        "task_to_id": {"transcribe": 3, "translate": 4},
        "no_timestamps_token_id": 15,
        "suppress_tokens": [1, 2, 3, 4, 5, 15],
        "begin_suppress_tokens": [0],
    }
    for name, value in settings.items():
        setattr(model.generation_config, name, value)
    path = tmp_path_factory.mktemp("whisper")
    model.save_pretrained(path)
    processor = transformers.WhisperProcessor(transformers.WhisperFeatureExtractor(), tokenizer)
    processor.save_pretrained(path)
    return path


def noise(seconds: float) -> np.ndarray:
    draw = np.random.default_rng(0)
    return 0.1 * draw.standard_normal(int(16_000 * seconds)).astype(np.float32)


def test_letters_come_out_the_same_every_time(folder):
    transcriber = build_transcriber(str(folder))
    heard = transcriber.transcribe(noise(1), 16_000, "en")
    assert heard and set(heard) <= set("abcdefghi")
    assert transcriber.transcribe(torch.from_numpy(noise(1)), 16_000, "en-GB") == heard
    assert transcriber.name == folder.name


def test_long_recordings_go_piece_by_piece(folder):
    transcriber = build_transcriber(str(folder))
    audio = noise(31)
    pieces = [transcriber.transcribe(x, 16_000, "de") for x in (audio[:480_000], audio[480_000:])]
    assert transcriber.transcribe(audio, 16_000, "de") == " ".join(pieces)


def test_unknown_languages_and_folders_are_refused(folder, tmp_path):
    with pytest.raises(ValueError, match="does not know the language 'fr'"):
        build_transcriber(str(folder)).transcribe(noise(1), 16_000, "fr")
    with pytest.raises(ValueError, match="cannot load a speech recogniser"):
        build_transcriber(str(tmp_path))
