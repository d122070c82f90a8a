"""Build the page: its files, onnxruntime-web and `tiny`, as a folder for any web server.

npm ci --prefix web/tokenizer
python web/tokenizer/build.py --out web/tokenizer/dist
"""

import argparse
import shutil
from importlib.resources import as_file, files
from pathlib import Path

from catok import CausalAudioTokenizer
from catok.export import Plan, export_tokenizer

HERE = Path(__file__).parent
RUNTIME = HERE / "node_modules" / "onnxruntime-web" / "dist"
RUNTIME_FILES = ("ort.wasm.bundle.min.mjs", "ort-wasm-simd-threaded.wasm")
# What the server's page has, too.
PAGE_FILES = ("audio.js", "capture.js", "cat-file.js", "drop.js", "plots.js", "style.css")
STEPS = ("encode_step", "decode_step")


def build(out: Path) -> None:
    """Write the page into `out`, which is made anew."""
    shutil.rmtree(out, ignore_errors=True)
    for folder in ("page", "onnxruntime", "models"):
        (out / folder).mkdir(parents=True)
    for path in (*HERE.glob("*.html"), *HERE.glob("*.css"), *HERE.glob("*.js")):
        shutil.copy(path, out)
    with as_file(files("catok.serving.page")) as page:
        for name in PAGE_FILES:
            shutil.copy(page / name, out / "page")
    for name in RUNTIME_FILES:
        shutil.copy(RUNTIME / name, out / "onnxruntime")
    model = CausalAudioTokenizer.from_pretrained("tiny")
    for dtype in ("int8", "float32"):
        plan = Plan.default(model.config, dtype, STEPS)
        export_tokenizer(model, out / "models" / dtype, plan)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Build the page.")
    parser.add_argument("--out", type=Path, default=HERE / "dist")
    build(parser.parse_args().out)
