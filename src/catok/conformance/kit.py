"""The kit: models in the released layout, and what they make of some recordings, by the reference.

    kit.json               what is in it
    VARIANT/config.json, model.safetensors      a model of the variant's structure, random weights
    VARIANT/vectors.npz    recordings, and their latents, codes, margins and decoded sound

`docs/verify.md` describes the arrays.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from catok.conformance.models import VARIANTS, generator, random_weights
from catok.conformance.reference import ReferenceTokenizer
from catok.io.config import check_format, read_value
from catok.io.files import replacing
from catok.io.json import read_json
from catok.modules.transformer import TransformerConfig
from catok.tokenizer.checkpoint import load_config, save_folder
from catok.tokenizer.config import TokenizerConfig
from catok.tokenizer.tokenizer import CausalAudioTokenizer

FORMAT = 1
STRIDE = 17  # of the samples of decoded sound, every so manieth is kept
FULL_SCALE = 128  # recordings are 8-bit integers
KIT = "kit.json"


@dataclass(frozen=True)
class KitRecording:
    """A recording and all that must come of it.

    `audio` `[C, T]` float32; `latents` `[D, F]`, `codes` and `margins` `[K, F]` (`Analysis`);
    `decoded` `[C, F * frame_size]` of all codes, by number of codebooks where `K` is not the only
    one, NaN for the samples that are not kept.
    """

    name: str
    audio: np.ndarray
    latents: np.ndarray
    codes: np.ndarray
    margins: np.ndarray
    decoded: Mapping[int, np.ndarray] = field(repr=False)

    @property
    def samples(self) -> int:
        """T."""
        return self.audio.shape[1]

    @property
    def frames(self) -> int:
        """F, the last one included where it is partial."""
        return self.codes.shape[1]


@dataclass(frozen=True)
class Variant:
    """A model's folder and its recordings: "long", "partial" and "short"."""

    name: str
    folder: Path
    config: TokenizerConfig
    recordings: Mapping[str, KitRecording]

    @property
    def windows(self) -> tuple[float, float]:
        """The smallest and the largest window of a stage, in code frames."""
        stages = (*self.config.encoder, *self.config.decoder)
        seconds = [stage.window for stage in stages if isinstance(stage, TransformerConfig)]
        return min(seconds) * self.config.frame_rate, max(seconds) * self.config.frame_rate


def make_kit(folder: str | Path, names: Iterable[str] = tuple(VARIANTS)) -> None:
    """Write the kit into `folder`, which is made; the same weights and vectors every time.

    (Sound and latents may differ in the last bit of float32 between machines.) Raises ValueError on
    unknown names.
    """
    names, folder = list(names), Path(folder)
    unknown = sorted(set(names) - set(VARIANTS))
    if unknown:
        raise ValueError(f"no variants {unknown}: there are {list(VARIANTS)}")
    listed: dict[str, Any] = {}
    for name in names:
        config, weights = VARIANTS[name], random_weights(name)
        save_folder(folder / name, config, weights)
        arrays = _vectors(name, ReferenceTokenizer(config, weights))
        with replacing(folder / name / "vectors.npz") as temporary, open(temporary, "wb") as file:
            np.savez_compressed(file, allow_pickle=False, **arrays)
        listed[name] = _facts(config, arrays)
    data = {"format": FORMAT, "audio_stride": STRIDE, "full_scale": FULL_SCALE, "variants": listed}
    with replacing(folder / KIT) as temporary:
        Path(temporary).write_text(json.dumps(data, indent=2) + "\n")


def load_kit(folder: str | Path, names: Iterable[str] | None = None) -> list[Variant]:
    """The variants of a kit (None: all). Raises ValueError where one is missing or damaged."""
    folder = Path(folder)
    if not (folder / KIT).is_file():
        raise ValueError(f"{folder} is no kit: make one with catok verify --make {folder}")
    data = read_json(folder / KIT)
    check_format(data, FORMAT, folder / KIT)
    there = read_value(dict[str, Any], data.get("variants", {}), f"variants in {folder / KIT}")
    chosen = list(there) if names is None else list(names)
    unknown = sorted(set(chosen) - set(there))
    if unknown:
        raise ValueError(f"{folder} has no variants {unknown}: it has {list(there)}")
    return [_load_variant(folder / name, name) for name in chosen]


def variant_of(folder: Path, name: str) -> Variant:
    """Vectors of any tokenizer's folder, made now; longer than twice its largest window."""
    tokenizer = CausalAudioTokenizer.from_pretrained(folder)
    arrays = _vectors(name, ReferenceTokenizer(tokenizer.config, tokenizer.state_dict()))
    return Variant(name, folder, tokenizer.config, _recordings(arrays, tokenizer.config))


def _vectors(name: str, reference: ReferenceTokenizer) -> dict[str, np.ndarray]:
    """The arrays of vectors.npz."""
    config = reference.config
    windows = [s.window for s in config.encoder if isinstance(s, TransformerConfig)]
    longest = int(max(40, 2.2 * max(windows) * config.frame_rate))
    size = config.frame_size
    lengths = {"long": longest * size, "partial": 5 * size + 2 * size // 5, "short": size // 3 + 1}
    arrays: dict[str, np.ndarray] = {}
    for title, samples in lengths.items():
        stored = _noise(generator(name, title), config.channels, samples)
        encoded = reference.encode(torch.from_numpy(stored / np.float32(FULL_SCALE)))
        arrays[f"{title}.audio"] = stored
        arrays[f"{title}.latents"] = encoded.latents.numpy().astype(np.float32)
        arrays[f"{title}.codes"] = encoded.codes.numpy().astype(np.int16)
        arrays[f"{title}.margins"] = encoded.margins.numpy().astype(np.float32)
        whole = encoded.codes.shape[0]
        depths = range(1, whole + 1) if title == "partial" else (whole,)
        decoded = [reference.decode(encoded.codes[:k]) for k in depths]
        sound = [each.audio[:, ::STRIDE].numpy() for each in decoded]
        arrays[f"{title}.decoded"] = np.stack(sound).astype(np.float32)
        if title == "short":
            sides = {"encoder": encoded.stages, "decoder": decoded[-1].stages}
            for side, stages in sides.items():
                for index, stage in enumerate(stages):
                    arrays[f"short.{side}.{index}"] = stage.numpy().astype(np.float32)
    return arrays


def _noise(draw: np.random.Generator, channels: int, samples: int) -> np.ndarray:
    """Noise `[C, T]` int8 of changing loudness and color, so that many codes are used."""
    noise = draw.random((channels, samples)) * 2 - 1
    knots = max(2, samples // 1500)
    across = np.linspace(0, knots - 1, samples)
    loudness = np.interp(across, np.arange(knots), draw.random(knots))
    color = np.interp(across, np.arange(knots), draw.random(knots) * 2 - 1)
    noise[:, 1:] += color[1:] * noise[:, :-1]
    return np.clip(np.round(noise * (0.05 + loudness) * 60), -127, 127).astype(np.int8)


def _facts(config: TokenizerConfig, arrays: Mapping[str, np.ndarray]) -> dict[str, Any]:
    titles = [name.removesuffix(".audio") for name in arrays if name.endswith(".audio")]
    return {
        "sample_rate": config.sample_rate,
        "channels": config.channels,
        "frame_size": config.frame_size,
        "num_quantizers": config.quantizer.num_quantizers,
        "codebook_size": config.quantizer.codebook_size,
        "recordings": {
            title: {
                "samples": arrays[f"{title}.audio"].shape[1],
                "frames": arrays[f"{title}.codes"].shape[1],
                "smallest_margin": float(arrays[f"{title}.margins"].min()),
            }
            for title in titles
        },
    }


def _load_variant(folder: Path, name: str) -> Variant:
    config = load_config(folder)
    try:
        with np.load(folder / "vectors.npz", allow_pickle=False) as file:
            arrays = {key: file[key] for key in file.files}
        recordings = _recordings(arrays, config)
    except (OSError, ValueError, KeyError, EOFError) as error:
        raise ValueError(f"{folder / 'vectors.npz'} cannot be read ({error})") from error
    return Variant(name, folder, config, recordings)


def _recordings(
    arrays: Mapping[str, np.ndarray], config: TokenizerConfig
) -> dict[str, KitRecording]:
    recordings = {}
    for title in ("long", "partial", "short"):
        codes = arrays[f"{title}.codes"].astype(np.int64)
        stored = arrays[f"{title}.decoded"]
        sound = np.full(
            (len(stored), config.channels, codes.shape[1] * config.frame_size), np.nan, np.float32
        )
        sound[..., ::STRIDE] = stored
        depths = range(1, len(stored) + 1) if len(stored) > 1 else (codes.shape[0],)
        recordings[title] = KitRecording(
            title,
            arrays[f"{title}.audio"].astype(np.float32) / FULL_SCALE,
            arrays[f"{title}.latents"],
            codes,
            arrays[f"{title}.margins"],
            dict(zip(depths, sound, strict=True)),
        )
    return recordings
