"""What kind of folder this is, told from its files, so that a wrong one is named for what it is."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from catok.io.hub import shown_folder
from catok.io.json import read_json
from catok.io.stored_weights import CONFIG


@dataclass(frozen=True)
class Kind:
    """A kind of folder: what it is called, with its article, and what takes it."""

    text: str
    use: str


TOKENIZER = Kind(
    "an audio tokenizer",
    "catok encode, decode, finetune or evaluate, or CausalAudioTokenizer.from_pretrained",
)
SYNTHESIZER = Kind(
    "a speech synthesis model",
    "catok tts --model, catok finetune-lm, or Synthesizer.from_pretrained",
)
RECOGNIZER = Kind(
    "a speech recognition model",
    "catok asr --model, catok finetune-lm, or Recognizer.from_pretrained",
)
SPEECH = Kind(
    "a speech language model", "catok tts --model, catok asr --model or catok finetune-lm"
)
DISCRIMINATORS = Kind("a set of discriminators", "the discriminators of a training recipe")
SEMANTIC = Kind("a semantic head", "catok finetune --semantic, in the folder semantic of a model")
SHARDS = Kind("a folder of token shards", "catok tokens, or catok train-lm --data")
ONNX = Kind(
    "a set of ONNX graphs of an audio tokenizer",
    'catok encode or decode, or CausalAudioTokenizer.from_pretrained(..., backend="onnx")',
)
ONNX_SPEECH = Kind(
    "a set of ONNX graphs of a speech model",
    'catok tts or asr --model, or Synthesizer or Recognizer.from_pretrained(..., backend="onnx")',
)
TOKENS = Kind("a folder of tokens", "catok train-lm --data")
RUN = Kind("a training run", "catok train or train-lm --out; its model is in model/")
RESULTS = Kind("a folder of results", "catok evaluate --out, to go on with it")
SPEECH_KINDS = (SPEECH, SYNTHESIZER, RECOGNIZER)

# the released tokenizers' model_type, and that of the class proposed for transformers
_TOKENIZER_TYPES = ("moss-audio-tokenizer", "speech_tokenizer", "moss_audio_tokenizer")
_MARKS = {  # files that only one kind has, where there is no config.json
    "discriminators.json": DISCRIMINATORS,
    "semantic.json": SEMANTIC,
    "tokens.json": SHARDS,
    "onnx.json": ONNX,
    "tokens.jsonl": TOKENS,
    "last.pt": RUN,
    "last": RUN,
    "rows.jsonl": RESULTS,
}


def folder_kind(folder: str | Path) -> Kind | None:
    """The kind of a folder, None if it is none that this package knows.

    Raises ValueError where its config.json cannot be read.
    """
    folder = Path(folder)
    if (folder / CONFIG).exists():
        return _model_kind(read_json(folder / CONFIG), folder)
    kind = next((kind for name, kind in _MARKS.items() if (folder / name).exists()), None)
    if kind == ONNX and (folder / "speech.json").exists():
        return ONNX_SPEECH
    return kind


def check_kind(folder: str | Path, *wanted: Kind) -> None:
    """Raise ValueError if a folder is of another kind than `wanted`, and say what takes it.

    A folder of no known kind passes: whoever reads it knows what is missing.
    """
    kind = folder_kind(folder)
    if kind is not None and kind not in wanted:
        raise ValueError(
            f"{shown_folder(folder)} is {kind.text}, not {wanted[0].text}: give it to {kind.use}"
        )


def _model_kind(data: dict[str, Any], folder: Path) -> Kind | None:
    settings, kind = data.get("catok"), data.get("model_type")
    if isinstance(settings, dict):
        if "tokenizer" in settings:
            return TOKENIZER
        return _speech_kind(folder) if "token_lm" in settings else None
    if "encoder_kwargs" in data or kind in _TOKENIZER_TYPES:
        return TOKENIZER
    if kind in ("moss_tts_delay", "moss_tts_local"):
        return _speech_kind(folder)
    if isinstance(kind, str):
        return Kind(f"a model of type {kind!r}", "the package transformers")
    return None


def _speech_kind(folder: Path) -> Kind:
    if not (folder / "speech.json").exists():
        return SPEECH
    tasks = read_json(folder / "speech.json").get("tasks", ["tts"])
    return {"['tts']": SYNTHESIZER, "['asr']": RECOGNIZER}.get(str(tasks), SPEECH)
