"""Audio and runs in pieces small enough to travel: for a machine that takes little at a time.

Audio is joined to tracks of up to ten minutes, one domain and band edge each, coded as Opus, and
the tracks are shared out over pieces, `audio-N.tar`, each with an index. A run's state is cut to
what is needed to go on: weights, their running average, the optimizer's second moments in 8 bits.
"""

import hashlib
import io
import json
import random
import tarfile
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import torch
from torch import Tensor

from catok import load_audio
from catok.audio import load_crop
from catok.data.entry import Entry
from catok.data.manifest import read_manifest
from catok.io.files import replacing

RATE = 24_000
TRACK_SECONDS = 600.0
PAUSE = 0.05  # seconds of silence between two recordings of a track
LOWEST, HIGHEST = 6_000, 256_000  # bits per second of libsndfile's compression levels 1 and 0
LEVELS = 254  # of second moments, evenly over their logarithm


@dataclass(frozen=True)
class Track:
    """Samples int16 `[T]` at 24 kHz of one domain, with nothing above `band_edge` Hz."""

    domain: str
    band_edge: float
    audio: np.ndarray


def joined(entries: list[Entry], seconds: float, seed: int, skipped: list[str]) -> Iterator[Track]:
    """Tracks of the entries in random order, of no more than `seconds` in all.

    What cannot be read is left out and named in `skipped`.
    """
    entries = random.Random(seed).sample(entries, len(entries))
    open_tracks: dict[tuple[str, float], list[np.ndarray]] = {}
    total, pause = 0.0, np.zeros(int(PAUSE * RATE), np.int16)
    for entry in entries:
        if total >= seconds:
            break
        try:
            audio = _read(entry)
        except (ValueError, OSError) as error:
            skipped.append(f"{entry.audio}: {error}")
            continue
        key = entry.domain or "sound", float(entry.band_edge or RATE / 2)
        parts = open_tracks.setdefault(key, [])
        parts += [(audio[0].clamp(-1, 1) * 32767).to(torch.int16).numpy(), pause]
        total += audio.shape[1] / RATE
        if sum(map(len, parts)) > TRACK_SECONDS * RATE:
            yield Track(*key, np.concatenate(open_tracks.pop(key)))
    for key, parts in open_tracks.items():
        yield Track(*key, np.concatenate(parts))


def _read(entry: Entry) -> Tensor:
    if entry.audio is None or entry.error:
        raise ValueError(entry.error or "no audio")
    if entry.offset is None:
        return load_audio(entry.audio, sample_rate=RATE, channels=1)[0]
    seconds = entry.duration or float("inf")
    return load_crop(entry.audio, entry.offset, seconds, sample_rate=RATE, channels=1)


def pack_audio(
    manifests: list[Path],
    out: Path,
    *,
    hours: Mapping[str, float],
    piece_bytes: int,
    bitrate: int = 32_000,
    seed: int = 0,
) -> tuple[list[Path], list[str]]:
    """Write pieces of at most `piece_bytes`; `hours`: how much of each domain, others are left out.

    Returns the pieces, and "path: reason" of each recording that could not be read. Raises
    ValueError where a single track does not fit a piece, and when there is no audio.
    """
    level = min(1.0, max(0.0, (HIGHEST - bitrate) / (HIGHEST - LOWEST)))
    entries = [e for manifest in manifests for e in read_manifest(manifest)]
    pieces: list[list[tuple[dict[str, Any], bytes]]] = [[]]
    size, skipped = 0, []
    for domain, wanted in hours.items():
        chosen = [e for e in entries if (e.domain or "sound") == domain]
        for track in joined(chosen, 3600 * wanted, seed, skipped):
            coded = io.BytesIO()
            soundfile.write(
                coded, track.audio, RATE, format="OGG", subtype="OPUS", compression_level=level
            )
            content = coded.getvalue()
            if len(content) + 20_000 > piece_bytes:
                raise ValueError(f"a track of {len(content)} bytes: allow larger pieces")
            if size + len(content) + 20_000 > piece_bytes:
                pieces.append([])
                size = 0
            facts = {k: v for k, v in asdict(track).items() if k != "audio"}
            pieces[-1].append((facts | {"samples": len(track.audio)}, content))
            size += len(content) + 1024
    if not pieces[0]:
        raise ValueError(f"no audio of the domains {sorted(hours)}")
    out.mkdir(parents=True, exist_ok=True)
    return [_write_tar(out / f"audio-{n}.tar", t) for n, t in enumerate(pieces)], skipped


def _write_tar(path: Path, tracks: list[tuple[dict[str, Any], bytes]]) -> Path:
    with replacing(path) as temporary, tarfile.open(temporary, "w") as tar:
        index = json.dumps([facts for facts, _ in tracks]).encode()
        names = ["index.json", *(f"{number}.opus" for number in range(len(tracks)))]
        for name, content in zip(names, [index, *(c for _, c in tracks)], strict=True):
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return path


def unpack_audio(pieces: list[Path], threads: int = 8) -> list[Track]:
    """All tracks of the pieces, decoded in threads."""
    coded: list[tuple[dict[str, Any], bytes]] = []
    for piece in pieces:
        with tarfile.open(piece) as tar:
            contents = {m.name: file.read() for m in tar if (file := tar.extractfile(m))}
        index = json.loads(contents["index.json"])
        coded += [(facts, contents[f"{n}.opus"]) for n, facts in enumerate(index)]

    def decoded(item: tuple[dict[str, Any], bytes]) -> Track:
        facts, content = item
        audio, rate = soundfile.read(io.BytesIO(content), dtype="int16")
        if rate != RATE:  # Opus has rates of its own; 24 kHz is one of them
            raise ValueError(f"a track of {rate} Hz, not {RATE}")
        return Track(facts["domain"], facts["band_edge"], audio[: facts["samples"]])

    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(decoded, coded))


def shrink(state: dict[str, Any]) -> dict[str, Any]:
    """A run's state (`last.pt`) in about a quarter of its size, to be grown again by `grow`.

    Weights and averages become float16, second moments 8 bits of their logarithm; first moments,
    which are a few steps old at most, are dropped.
    """
    small: dict[str, Any] = {}
    for key, value in state.items():
        if key.endswith("optimizer"):
            small[key] = {name: _small_moments(moments) for name, moments in value.items()}
        elif key in ("model", "discriminators", "ema"):
            small[key] = {name: _half(tensor) for name, tensor in value.items()}
        else:
            small[key] = value
    return small


def grow(small: dict[str, Any]) -> dict[str, Any]:
    """What `shrink` left, as a run goes on with it."""
    state: dict[str, Any] = {}
    for key, value in small.items():
        if key.endswith("optimizer"):
            state[key] = {name: _whole_moments(moments) for name, moments in value.items()}
        elif key in ("model", "discriminators", "ema"):
            state[key] = {name: _whole(tensor) for name, tensor in value.items()}
        else:
            state[key] = value
    return state


def _half(value: Any) -> Any:
    if not isinstance(value, Tensor) or value.dtype != torch.float32:
        return value
    return value.half() if float(value.abs().max() if value.numel() else 0) < 6e4 else value


def _whole(value: Any) -> Any:
    return value.float() if isinstance(value, Tensor) and value.dtype == torch.float16 else value


def _small_moments(moments: dict[str, Tensor]) -> dict[str, Tensor]:
    logarithm = moments["exp_avg_sq"].float().clamp(min=1e-30).log()
    low, high = logarithm.min(), logarithm.max()
    share = (logarithm - low) / (high - low).clamp(min=1e-6)
    codes = (share * LEVELS).round().to(torch.uint8)
    return {"step": moments["step"], "codes": codes, "range": torch.stack([low, high])}


def _whole_moments(small: dict[str, Tensor]) -> dict[str, Tensor]:
    low, high = small["range"]
    logarithm = low + (high - low) * small["codes"].float() / LEVELS
    squares = logarithm.exp()
    return {"step": small["step"], "exp_avg": torch.zeros_like(squares), "exp_avg_sq": squares}


def write_pieces(data: dict[str, Any], out: Path, name: str, piece_bytes: int) -> list[Path]:
    """`torch.save` in files NAME.0, NAME.1 ... of at most `piece_bytes`, and NAME.json about them.

    Older pieces of the name are replaced.
    """
    buffer = io.BytesIO()
    torch.save(data, buffer)
    content = buffer.getvalue()
    out.mkdir(parents=True, exist_ok=True)
    for old in out.glob(f"{name}.[0-9]*"):
        old.unlink()
    paths = []
    for number, start in enumerate(range(0, len(content), piece_bytes)):
        paths.append(out / f"{name}.{number}")
        paths[-1].write_bytes(content[start : start + piece_bytes])
    facts = {"pieces": len(paths), "sha256": hashlib.sha256(content).hexdigest()}
    (out / f"{name}.json").write_text(json.dumps(facts))
    return [*paths, out / f"{name}.json"]


def read_pieces(folder: Path, name: str) -> dict[str, Any]:
    """What `write_pieces` wrote. Raises ValueError where a piece is missing or damaged."""
    facts = json.loads((folder / f"{name}.json").read_text())
    paths = [folder / f"{name}.{number}" for number in range(facts["pieces"])]
    if missing := [path.name for path in paths if not path.is_file()]:
        raise ValueError(f"{folder} lacks {missing}")
    content = b"".join(path.read_bytes() for path in paths)
    if hashlib.sha256(content).hexdigest() != facts["sha256"]:
        raise ValueError(f"the pieces {name} in {folder} are not what was written")
    return torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
