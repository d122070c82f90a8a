"""The page of web/tokenizer in headless Chromium: time of its steps.

    npm ci --ignore-scripts --prefix web/tokenizer
    PYTHONPATH=. python benchmarks/browser.py

Prints a Markdown table; the columns are described in benchmarks/README.md.
"""

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from common import machine, table, write_json
from tests import browser

HOME = Path(__file__).parents[1] / "web" / "tokenizer"
FRAME_MS = 80
LOAD = """
import('./tokenizer.js').then(async ({ Tokenizer }) => {
  globalThis.tokenizer = await Tokenizer.load('models/%s');
})
"""
STEPS = """
(async (frames, steps) => {
  const [encoder, decoder] = [tokenizer.streamEncoder(), tokenizer.streamDecoder()];
  const size = frames * tokenizer.description.frame_size;
  for (let step = 0; step < steps; step++) {
    const noise = Float32Array.from({ length: size }, () => Math.random() - 0.5);
    await decoder.push(await encoder.push(noise));
  }
  encoder.end();
  decoder.end();
  return [encoder.milliseconds / steps, decoder.milliseconds / steps];
})(%d, %d)
"""


def measure(page: browser.Page, dtype: str, frames: int, steps: int) -> dict[str, Any]:
    """Mean times of a step of a stream, after some that warm up."""
    page.ask(LOAD % dtype)
    page.ask(STEPS % (frames, 10))
    begun = page.processor_seconds()
    encode, decode = page.ask(STEPS % (frames, steps))
    cpu = 1000 * (page.processor_seconds() - begun) / steps
    return {
        "dtype": dtype,
        "frames": frames,
        "encode_ms": encode,
        "decode_ms": decode,
        "cpu_ms": cpu,
        "cpu_rtf": cpu / (FRAME_MS * frames),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dtypes", nargs="+", default=["int8", "float32"])
    parser.add_argument("--frames", type=int, nargs="+", default=[1, 12], help="of a step")
    parser.add_argument("--steps", type=int, default=50)
    parser.add_argument("--out", help="JSON file")
    args = parser.parse_args()
    program = browser.find()
    if program is None:
        sys.exit("no Chromium")
    results: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as temporary:
        dist = Path(temporary) / "dist"
        subprocess.run([sys.executable, HOME / "build.py", "--out", dist], check=True)
        with browser.static_host(dist) as address:
            for dtype in args.dtypes:
                for frames in args.frames:
                    profile = Path(temporary) / f"{dtype}-{frames}"
                    with browser.Page(program, profile) as page:
                        page.visit(address)
                        page.until("document.getElementById('status').textContent[0] == 'R'")
                        results.append(measure(page, dtype, frames, args.steps))
    rows = [list(each.values()) for each in results]
    header = ["weights", "frames", "encode ms", "decode ms", "CPU ms", "CPU RTF"]
    print(table(header, rows))
    write_json(args.out, {"machine": machine(1), "steps": args.steps, "results": results})


if __name__ == "__main__":
    main()
