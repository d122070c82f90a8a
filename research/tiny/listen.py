"""A semantic head learns to listen to the codes of a codec that stays as it is.

    python -m research.tiny.listen --model tiny --data TRAIN --valid VALID --test TEST \
        --out runs/listen --steps 12000 --threads 1

Attention has to find the words in the sound before better codes can help it, and that takes more
passes over the texts than a codec can be trained for on a small machine. Codes do not change while
the codec is frozen: they are made once (OUT/*.tokens), and the head alone learns several times as
fast. OUT/semantic is the head, for `catok train` beside the codec's own files. Stopped, the same
command goes on. OUT/text.md has the nats per byte of every TEST by number of codebooks, in brackets
with the codes of another recording.
"""

import argparse
import json
import math
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from research.hearing import Heard, latents, loss_of, text_loss
from research.study import DEPTHS, markdown, text_cells

from catok import CausalAudioTokenizer
from catok.corpus.token_entries import read_codes
from catok.data.recordings import read_recordings
from catok.io.files import replacing
from catok.tokenizer.checkpoint import SEMANTIC
from catok.training import SemanticConfig, SemanticHead, load_recipe, override_recipe
from catok.training.lm.prepare import write_tokens

RECIPES = Path(__file__).parents[2] / "recipes" / "tiny"


def hear(
    tok: CausalAudioTokenizer, manifest: str | Path, folder: Path, longest: float = math.inf
) -> list[Heard]:
    """The recordings of a manifest that have text and are no longer than `longest` seconds.

    Their codes are kept in `folder`. Raises ValueError where there are none.
    """
    spoken = [one for one in read_recordings(manifest) if one.text]
    if not spoken:
        raise ValueError(f"{manifest} lists no recording with text")
    found = []
    for one in write_tokens(spoken, folder, tok):
        assert one.codes is not None and one.text is not None and one.frames is not None
        if one.frames <= longest * tok.frame_rate:
            codes = read_codes(one.codes, tok.num_quantizers).astype(np.int64)
            found.append(Heard(torch.from_numpy(codes), one.text))
    if not found:
        raise ValueError(f"no recording in {manifest} is as short as {longest} s")
    return found


def teach(
    tok: CausalAudioTokenizer,
    config: SemanticConfig,
    heard: Sequence[Heard],
    unseen: Sequence[Heard],
    *,
    steps: int,
    out: Path,
    rows: int = 32,
    rate: float = 2e-3,
    seed: int = 0,
    every: int = 500,
    autocast: bool = True,
) -> SemanticHead:
    """A new head after `steps` AdamW steps (cosine to a tenth) of `rows` recordings, each step with
    a random prefix of codebooks; the best by text of `unseen` at all codebooks, in nats per token.

    Every `every` steps adds a line to `out`/listen.jsonl and keeps all in `out`/listen.pt, from
    where the next call goes on.
    """
    torch.manual_seed(seed)
    head = SemanticHead(config, tok.config.quantizer.input_dim)
    optimizer = torch.optim.AdamW(head.parameters(), lr=rate, betas=(0.9, 0.98), weight_decay=0.05)
    state: dict[str, Any] = {"step": 0, "best": math.inf, "kept": head.state_dict()}
    if (out / "listen.pt").is_file():
        state = torch.load(out / "listen.pt", weights_only=True)
        head.load_state_dict(state["head"])
        optimizer.load_state_dict(state["optimizer"])
    total, tokens, began = 0.0, 0, time.monotonic()
    draw = torch.Generator().manual_seed(seed)
    for step, batch in enumerate(batches(heard, rows, draw), 1):
        if step > steps:
            break
        depth = int(torch.randint(1, tok.num_quantizers + 1, (), generator=draw))
        if step <= state["step"]:
            continue
        share = min(1.0, step / 200) * (0.55 + 0.45 * math.cos(math.pi * step / steps))
        for group in optimizer.param_groups:
            group["lr"] = rate * share
        with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
            read = head(*latents(tok, batch, depth), [b.text for b in batch], ["asr"] * len(batch))
        optimizer.zero_grad()
        read.loss.backward()
        torch.nn.utils.clip_grad_norm_(head.parameters(), 1.0)
        optimizer.step()
        total += read.token_loss_sum.item()
        tokens += read.text_tokens
        if step % every == 0 or step == steps:
            own = loss_of(tok, head, unseen, tok.num_quantizers)
            if own < state["best"]:
                kept = {name: tensor.clone() for name, tensor in head.state_dict().items()}
                state |= {"best": own, "kept": kept}
            state |= {"step": step, "head": head.state_dict(), "optimizer": optimizer.state_dict()}
            with replacing(out / "listen.pt") as temporary:
                torch.save(state, temporary)
            seconds = round(time.monotonic() - began, 1)
            line = {"step": step, "train": total / tokens, "unseen": own, "seconds": seconds}
            with (out / "listen.jsonl").open("a") as file:
                file.write(json.dumps(line) + "\n")
            total, tokens = 0.0, 0
    head.load_state_dict(state["kept"])
    return head


def batches(heard: Sequence[Heard], rows: int, draw: torch.Generator) -> Iterator[list[Heard]]:
    """Endless batches of recordings of like length, in random order."""
    while True:
        noise = torch.rand(len(heard), generator=draw).tolist()
        order = sorted(range(len(heard)), key=lambda i: heard[i].codes.shape[1] + 8 * noise[i])
        groups = [order[at : at + rows] for at in range(0, len(order), rows)]
        for index in torch.randperm(len(groups), generator=draw).tolist():
            yield [heard[i] for i in groups[index]]


def main(arguments: list[str] | None = None) -> None:
    """Encode, teach, write the head."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--model", default="tiny", help="the codec (%(default)s)")
    parser.add_argument("--data", required=True, help="manifest of recordings with text")
    parser.add_argument("--valid", required=True, help="manifest that chooses the best weights")
    parser.add_argument("--test", nargs="+", default=[], help="manifests to measure the head by")
    parser.add_argument("--out", required=True, help="folder of codes, log and semantic/")
    parser.add_argument("--steps", type=int, default=12_000, help="of 32 recordings (%(default)s)")
    parser.add_argument("--rate", type=float, default=2e-3, help="learning rate (%(default)s)")
    parser.add_argument("--every", type=int, default=500, help="steps between checks (%(default)s)")
    parser.add_argument("--threads", type=int, default=1, help="CPU threads (%(default)s)")
    parser.add_argument("--set", nargs="+", default=[], help="KEY=VALUE of spoken.toml")
    args = parser.parse_args(arguments)
    torch.set_num_threads(args.threads)
    recipe = override_recipe(load_recipe(RECIPES / "spoken.toml"), args.set)
    assert recipe.semantic is not None
    tok = CausalAudioTokenizer.from_pretrained(args.model)
    out, longest = Path(args.out), recipe.data.max_seconds
    texts = [
        hear(tok, manifest, out / f"{name}.tokens", longest)
        for name, manifest in (("train", args.data), ("valid", args.valid))
    ]
    print(f"{len(texts[0])} recordings to learn from, {len(texts[1])} to choose by")
    head = teach(
        tok,
        recipe.semantic,
        *texts,
        steps=args.steps,
        out=out,
        rate=args.rate,
        every=args.every,
        autocast=recipe.autocast,
    )
    head.save_pretrained(out / SEMANTIC)
    rows = [["nats per byte of text", *(f"{depth} codebooks" for depth in DEPTHS)]]
    for number, manifest in enumerate(args.test):
        heard = hear(tok, manifest, out / f"test-{number}.tokens", longest)
        losses = {str(depth): text_loss(tok, head, heard, depth) for depth in DEPTHS}
        rows.append([f"{Path(manifest).stem}, {len(heard)} recordings", *text_cells(losses)])
    if args.test:
        (out / "text.md").write_text(markdown(rows))
        print(markdown(rows))


if __name__ == "__main__":
    main()
