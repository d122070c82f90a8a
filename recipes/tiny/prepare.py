"""Fetch the tiny model's training audio and write its manifests.

    python recipes/tiny/prepare.py --list
    python recipes/tiny/prepare.py --out data/tiny [--domains speech music sound] [--keep-downloads]
    python recipes/tiny/prepare.py --out data/tiny --held-out    # what judges the model: minutes

Needs a Debian-like system (apt-get, dpkg-deb; run `apt-get update` first) and the PyPI packages
numpy, soundfile, soxr and G722. Nothing is installed. Every file becomes a 24 kHz mono 16-bit WAV
under OUT/audio/PACKAGE; OUT/{train,valid,test,heldout}.jsonl hold one line per WAV. A package that
is done has a marker OUT/audio/PACKAGE/done.json and is skipped the next time; delete the folder to
redo it.
DATA.md describes the packages and the rule that splits them.
"""

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import soundfile
import soxr
from clips import LAYOUTS, Clip
from G722 import G722
from sources import HELD_OUT, SOURCES, Source

SAMPLE_RATE = 24_000
G722_RATE = 16_000
MIN_SECONDS = 0.3
SILENCE_PEAK = 1e-3  # G.722 decodes digital silence to a few units in the last place
MAX_CHARACTERS_PER_SECOND = 25  # nobody speaks faster: the speaker read less than the text
SPLITS = (
    "test",
    "valid",
    "train",
    "heldout",
)  # of files with equal bytes the first split keeps one


def split_of(source: Source, stem: str) -> str:
    """The split of a clip, from the SHA-1 hex digits of its stem (see clips.py) in UTF-8."""
    if source.held_out:
        return "heldout"
    digits = hashlib.sha1(stem.encode("utf-8")).hexdigest()
    if source.layout == "asterisk":
        return {"0": "test", "1": "test", "2": "valid"}.get(digits[0], "train")
    return "valid" if digits[0] == "0" and digits[1] < "8" else "train"


def fetch(package: str, cache: Path) -> Path:
    """Download a Debian package unless the cache has it, and unpack it. Returns the folder."""
    archive, folder, scratch = cache / f"{package}.deb", cache / package, cache / f"{package}.tmp"
    shutil.rmtree(scratch, ignore_errors=True)
    if not archive.exists():
        scratch.mkdir(parents=True)
        subprocess.run(["apt-get", "-q", "download", package], cwd=scratch, check=True)
        (downloaded,) = scratch.glob("*.deb")
        os.replace(downloaded, archive)
        shutil.rmtree(scratch)
    if not folder.exists():
        subprocess.run(["dpkg-deb", "-x", archive, scratch], check=True)
        os.replace(scratch, folder)
    return folder


def read(path: Path) -> tuple[np.ndarray, int]:
    """Samples in -1..1, mono float32 [T], and their sampling rate."""
    if path.suffix == ".g722":
        pcm = np.asarray(G722(G722_RATE, 64_000).decode(path.read_bytes()), dtype=np.float32)
        return pcm / 32768, G722_RATE
    samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
    return samples.mean(axis=1), rate


def convert(clip: Clip, target: Path, excerpt: float | None) -> tuple[float, int]:
    """Write the clip, or `excerpt` seconds from its middle, as a WAV file. Returns its seconds and
    its native sampling rate.

    Raises ValueError, its first word the reason to count, when the clip is of no use.
    """
    try:
        samples, rate = read(clip.path)
    except (OSError, RuntimeError, ValueError, MemoryError) as error:
        raise ValueError(f"unreadable: {clip.path.name}: {error}") from error
    if not np.isfinite(samples).all():
        raise ValueError(f"unreadable: {clip.path.name}: infinite or undefined samples")
    if len(samples) < MIN_SECONDS * rate:
        raise ValueError(f"short: {clip.path.name}: under {MIN_SECONDS} s")
    if np.abs(samples).max() < SILENCE_PEAK:
        raise ValueError(f"silent: {clip.path.name}")
    if excerpt is not None and len(samples) > excerpt * rate:
        first = (len(samples) - int(excerpt * rate)) // 2
        samples = samples[first : first + int(excerpt * rate)]
    if rate != SAMPLE_RATE:
        samples = soxr.resample(samples, rate, SAMPLE_RATE, quality="VHQ")
    samples /= max(1.0, float(np.abs(samples).max()))  # lossy codecs overshoot: no clipping
    target.parent.mkdir(parents=True, exist_ok=True)
    scratch = target.with_name(target.name + ".tmp")
    soundfile.write(scratch, samples, SAMPLE_RATE, subtype="PCM_16", format="WAV")
    os.replace(scratch, target)
    return len(samples) / SAMPLE_RATE, rate


def convert_source(source: Source, out: Path, cache: Path) -> None:
    """Convert one package; writes its rows and, last, its marker with the counts."""
    roots = [fetch(package, cache) for package in source.packages]
    clips = list(LAYOUTS[source.layout](source, roots[0], roots[1] if roots[1:] else None))
    if not clips:
        raise ValueError(f"{source.package}: no audio found; has the package's layout changed?")
    clips.sort(key=lambda clip: (SPLITS.index(split_of(source, clip.stem)), clip.stem))
    folder = out / "audio" / source.package
    counts, seen, rows = Counter(), set(), []
    for index, clip in enumerate(clips, 1):
        digest = hashlib.sha1(clip.path.read_bytes()).digest()
        target = folder / f"{clip.stem}.wav"
        try:
            if digest in seen or target in seen:
                raise ValueError(f"duplicate: {clip.path.name}")
            seconds, rate = convert(clip, target, source.excerpt)
        except ValueError as error:
            reason = str(error).partition(":")[0]
            counts[reason] += 1
            if reason != "duplicate":
                print(f"  skipped, {error}", flush=True)
            continue
        seen |= {digest, target}
        counts["converted"] += 1
        text = clip.text
        if text and len(text) > MAX_CHARACTERS_PER_SECOND * seconds:
            text = None
            counts["text dropped"] += 1
        rows.append(
            {
                "audio": target.relative_to(out).as_posix(),
                "duration": round(seconds, 4),
                "domain": clip.domain,
                "corpus": source.package,
                "language": clip.language,
                "text": text,
                "band_edge": min(rate // 2, source.max_band_edge),
                "split": split_of(source, clip.stem),
            }
        )
        if index % 500 == 0:
            print(f"  {index} of {len(clips)} files", flush=True)
    minutes = sum(row["duration"] for row in rows) / 60
    write_lines(folder / "clips.jsonl", rows)
    write_lines(folder / "done.json", [{"minutes": round(minutes, 1), **counts}])
    print(f"  {minutes:.1f} minutes, {dict(counts)}", flush=True)


def write_lines(path: Path, rows: list[dict]) -> None:
    """Write JSON lines atomically."""
    path.parent.mkdir(parents=True, exist_ok=True)
    scratch = path.with_name(path.name + ".tmp")
    lines = (json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    scratch.write_text("".join(lines), encoding="utf-8")
    os.replace(scratch, path)


def write_manifests(out: Path) -> None:
    """Join the rows of every finished package, whatever domains this run was asked for."""
    splits = {split: [] for split in SPLITS}
    for source in (*SOURCES, *HELD_OUT):
        folder = out / "audio" / source.package
        if (folder / "done.json").exists():
            for line in (folder / "clips.jsonl").read_text("utf-8").splitlines():
                row = json.loads(line)
                splits[row.pop("split")].append(row)
    for split, rows in splits.items():
        write_lines(out / f"{split}.jsonl", rows)


def main() -> int:
    parser = argparse.ArgumentParser(description="Fetch and convert the tiny model's audio.")
    parser.add_argument("--out", type=Path, default=Path("data/tiny"))
    domains = ["speech", "music", "sound"]
    parser.add_argument("--domains", nargs="+", choices=domains, default=domains)
    parser.add_argument("--cache", type=Path, help="folder for downloads (OUT/downloads)")
    parser.add_argument("--held-out", action="store_true", help="the packages that judge instead")
    parser.add_argument("--keep-downloads", action="store_true")
    parser.add_argument("--list", action="store_true", help="print the table of sources and stop")
    args = parser.parse_args()
    table = HELD_OUT if args.held_out else SOURCES
    if args.list:
        for s in table:
            print(f"{s.package:28} {s.domain:7} {s.minutes:4} min  {s.native_rate:10} {s.licence}")
        return 0
    cache, failed = args.cache or args.out / "downloads", []
    cache.mkdir(parents=True, exist_ok=True)
    sources = [source for source in table if source.domain in args.domains]
    for index, source in enumerate(sources, 1):
        print(f"[{index}/{len(sources)}] {source.package}", flush=True)
        if (args.out / "audio" / source.package / "done.json").exists():
            print("  already converted", flush=True)
            continue
        try:
            convert_source(source, args.out, cache)
        except (OSError, ValueError, subprocess.CalledProcessError) as error:
            print(f"  failed: {error}", flush=True)  # the next package may still be had
            failed.append(source.package)
            continue
        write_manifests(args.out)
        later = {package for s in sources[index:] for package in s.packages}
        for package in set(source.packages) - later if not args.keep_downloads else ():
            shutil.rmtree(cache / package, ignore_errors=True)
            (cache / f"{package}.deb").unlink(missing_ok=True)
    write_manifests(args.out)
    if failed:
        print(f"failed: {', '.join(failed)}; run the same command again", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
