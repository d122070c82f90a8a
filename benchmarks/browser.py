"""The page of web/tokenizer in headless Chromium: time of its steps.

    npm ci --ignore-scripts --prefix web/tokenizer
    PYTHONPATH=. python benchmarks/browser.py

Prints a Markdown table; the columns are described in benchmarks/README.md.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from common import machine, table, write_json
from tests import browser

HOME = Path(__file__).parents[1] / "web" / "tokenizer"
FRAME_MS = 80
MEASURE = """
import('./tokenizer.js').then(async ({ Tokenizer }) => {
  const tokenizer = await Tokenizer.load('models/%s');
  const { frame_size, num_quantizers } = tokenizer.description;
  const [frames, steps] = [%d, %d];
  const [encoder, decoder] = [tokenizer.streamEncoder(), tokenizer.streamDecoder()];
  const noise = () => Float32Array.from({ length: frames * frame_size }, () => Math.random() - 0.5);
  const result = { encode: [], decode: [] };
  for (let step = 0; step < steps; step++) {
    const before = [encoder.milliseconds, decoder.milliseconds];
    await decoder.push(await encoder.push(noise()));
    result.encode.push(encoder.milliseconds - before[0]);
    result.decode.push(decoder.milliseconds - before[1]);
  }
  tokenizer.close();
  return JSON.stringify(result);
})
"""


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
                        times = json.loads(page.ask(MEASURE % (dtype, frames, args.steps)))
                    results.append({"dtype": dtype, "frames": frames} | times)
    rows = [
        [
            each["dtype"],
            each["frames"],
            *(f(each[side]) for f in (statistics.median, min) for side in ("encode", "decode")),
            (min(each["encode"]) + min(each["decode"])) / (FRAME_MS * each["frames"]),
        ]
        for each in results
    ]
    header = ["weights", "frames", "encode ms", "decode ms", "least encode", "least decode"]
    print(table([*header, "least RTF of both"], rows))
    write_json(args.out, {"machine": machine(1), "steps": args.steps, "results": results})


if __name__ == "__main__":
    main()
