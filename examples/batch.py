"""Encode recordings of different lengths as one padded batch, and save each row as a .cat file.

python examples/batch.py one.wav two.flac --out codes [--model tiny] [--quantizers 8]
"""

import argparse
from pathlib import Path

import torch

from catok import CausalAudioTokenizer, load_audio


def main(arguments: list[str] | None = None) -> list[Path]:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("audio", type=Path, nargs="*", help="default: parts of speech.flac")
    parser.add_argument("--out", type=Path, default=Path("batch-output"))
    parser.add_argument("--model", default="tiny", help="name or folder of a tokenizer")
    parser.add_argument("--quantizers", type=int, help="codebooks to keep; default: all")
    options = parser.parse_args(arguments)
    tokenizer = CausalAudioTokenizer.from_pretrained(options.model)
    wanted = {"sample_rate": tokenizer.sample_rate, "channels": tokenizer.channels}
    if options.audio:
        rows = {path.stem: load_audio(path, **wanted)[0] for path in options.audio}
        if len(rows) < len(options.audio):
            parser.error("two recordings have the same name, their files would collide")
    else:
        speech, rate = load_audio(Path(__file__).with_name("speech.flac"), **wanted)
        rows = {f"first_{seconds}s": speech[:, : seconds * rate] for seconds in (2, 3, 5)}

    lengths = torch.tensor([row.shape[1] for row in rows.values()])
    batch = torch.zeros(len(rows), tokenizer.channels, int(lengths.max()))
    for padded, row in zip(batch, rows.values(), strict=True):
        padded[:, : row.shape[1]] = row
    encoded = tokenizer.encode(batch, lengths, num_quantizers=options.quantizers)

    options.out.mkdir(parents=True, exist_ok=True)
    files = [options.out / f"{name}.cat" for name in rows]
    for file, row in zip(files, encoded.rows(), strict=True):
        row.save(file)
        print(
            f"{file}: {float(row.duration):.2f} s, {row.codes.shape[2]} frames, "
            f"{row.bitrate / 1000:.3g} kbit/s, {file.stat().st_size} bytes"
        )
    return files


if __name__ == "__main__":
    main()
