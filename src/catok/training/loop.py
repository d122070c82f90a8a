"""The training loop: one step, and around it logging, validation, saving and resuming."""

import json
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from catok.tokenizer.config import TokenizerConfig
from catok.tokenizer.tokenizer import CausalAudioTokenizer
from catok.training.checkpoint import load_run, save_run
from catok.training.config import OptimizerConfig, TrainConfig
from catok.training.data import Batch, CropSampler, Recording
from catok.training.dropout import draw_prefixes
from catok.training.losses.mel import MelLoss
from catok.training.revival import CodebookUsage, initialise_codes, revive
from catok.training.schedule import learning_rate

Report = Callable[[dict[str, Any]], None]


class Trainer:
    """Trains a tokenizer in `folder`, which holds log.jsonl, last.pt and model/.

    `train` and `valid`: recordings; `report` is called with every log line. If the folder holds
    last.pt, the run goes on from there.
    """

    def __init__(
        self,
        config: TrainConfig,
        train: list[Recording],
        valid: list[Recording],
        folder: str | Path,
        *,
        device: str | torch.device = "cpu",
        report: Report = lambda line: None,
    ) -> None:
        self.config = config
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.device = torch.device(device)
        self.report = report
        torch.manual_seed(config.seed)
        self.model = initial_model(config.tokenizer).to(self.device).train()
        self.mel = MelLoss(self.model.sample_rate, config.mel)
        self.optimizer = torch.optim.AdamW(
            parameter_groups(self.model, config.optimizer),
            lr=config.optimizer.learning_rate,
            betas=config.optimizer.betas,
        )
        self.usage = CodebookUsage.empty(self.model.quantizer)
        self.step = 0
        self.train_data = self._sampler(train, config.seed)
        self.valid_data = self._sampler(valid, config.seed) if valid else None
        if not self._resume():
            self._initialise_codes()

    def run(self) -> None:
        """Train until `config.steps`, or until SIGTERM or Ctrl-C; either way the run is saved."""
        stop = _StopOnRequest()
        saved = time.monotonic()
        started, heard = time.monotonic(), 0.0
        with stop:
            while self.step < self.config.steps and not stop.asked:
                line = self.train_step()
                heard += line.pop("audio_seconds")
                if self.step % self.config.log_every == 0:
                    line["audio_per_second"] = heard / (time.monotonic() - started)
                    line["perplexity"] = [round(p, 1) for p in self.usage.perplexity().tolist()]
                    self._log(line)
                    started, heard = time.monotonic(), 0.0
                if self.step % self.config.validate_every == 0 and self.valid_data:
                    self._log(self.validate())
                    started, heard = time.monotonic(), 0.0
                if time.monotonic() - saved > 60 * self.config.save_minutes:
                    self.save()
                    saved = time.monotonic()
        self.save()

    def train_step(self) -> dict[str, Any]:
        """One step of gradient descent; returns what there is to log of it."""
        config = self.config
        generator = torch.Generator().manual_seed(config.seed * 1_000_003 + self.step)
        batch = self.train_data.batch(self.step)
        audio = batch.audio.to(self.device)
        prefixes = draw_prefixes(
            audio.shape[0], self.model.num_quantizers, config.quantizer_dropout, generator
        ).to(self.device)
        rate = learning_rate(self.step, config.steps, config.optimizer)
        for group in self.optimizer.param_groups:
            group["lr"] = rate * group["rate"]

        with torch.autocast(self.device.type, torch.bfloat16, enabled=config.autocast):
            result = self.model(audio, prefixes)
        losses = {
            "mel": self.mel(result.audio, audio, batch.band_edges.to(self.device), generator),
            "codebook": result.quantized.codebook_loss,
            "commitment": result.quantized.commitment_loss,
        }
        total = weighted_sum(losses, asdict(config.weights))
        self.optimizer.zero_grad(set_to_none=True)
        total.backward()
        norm = torch.nn.utils.clip_grad_norm_(
            self.model.parameters(), config.optimizer.clip_norm, error_if_nonfinite=True
        )
        self.optimizer.step()
        self.usage.update(result.quantized.codes)
        moved = revive(
            self.model.quantizer, result.quantized, self.usage, config.revival, generator
        )
        self.step += 1
        return {
            "step": self.step,
            **{name: round(float(loss.detach()), 5) for name, loss in losses.items()},
            "total": round(float(total.detach()), 5),
            "grad_norm": round(float(norm), 4),
            "learning_rate": rate,
            "revived": moved,
            "audio_seconds": audio.shape[0] * audio.shape[2] / self.model.sample_rate,
        }

    @torch.no_grad()
    def validate(self, batches: int = 4) -> dict[str, Any]:
        """Mel loss (all scales) on fixed crops of unseen recordings, by number of codebooks."""
        assert self.valid_data is not None
        full = MelLoss(self.model.sample_rate)
        crops = [self.valid_data.batch(index) for index in range(batches)]
        depths = [n for n in (1, 2, 4, 8, 16, 32) if n <= self.model.num_quantizers]
        self.model.eval()
        line = {f"valid_mel_{depth}": self._mel_at(depth, crops, full) for depth in depths}
        self.model.train()
        return {"step": self.step, **line}

    def _mel_at(self, depth: int, crops: list[Batch], mel: MelLoss) -> float:
        values = []
        for batch in crops:
            audio = batch.audio.to(self.device)
            values.append(mel(self.model(audio, depth).audio, audio, batch.band_edges))
        return round(float(torch.stack(values).mean()), 5)

    def save(self) -> None:
        """Write the run's state and the model's folder."""
        state = {
            "step": self.step,
            "config": self.config.to_dict(),
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "usage": {"idle": self.usage.idle, "counts": self.usage.counts},
        }
        save_run(self.folder, state)
        self.model.save_pretrained(self.folder / "model")

    @torch.no_grad()
    def _initialise_codes(self, batches: int = 8) -> None:
        """Give the codebooks of a new model the scale and spread of real latents."""
        if Path(self.config.tokenizer).is_dir():
            return
        generator = torch.Generator().manual_seed(self.config.seed)
        audio = torch.cat([self.train_data.batch(-1 - index).audio for index in range(batches)])
        latents = self.model.encoder(self.model.interleave(audio.to(self.device)))
        initialise_codes(self.model.quantizer, latents, generator)

    def _resume(self) -> bool:
        """Load last.pt, if there is one."""
        state = load_run(self.folder)
        if state is None:
            return False
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.usage.idle = state["usage"]["idle"].to(self.device)
        self.usage.counts = state["usage"]["counts"].to(self.device)
        self.step = state["step"]
        return True

    def _sampler(self, recordings: list[Recording], seed: int) -> CropSampler:
        model = self.model
        return CropSampler(
            recordings,
            self.config.data,
            sample_rate=model.sample_rate,
            channels=model.channels,
            frame_size=model.frame_size,
            seed=seed,
        )

    def _log(self, line: dict[str, Any]) -> None:
        with (self.folder / "log.jsonl").open("a") as file:
            file.write(json.dumps(line) + "\n")
        self.report(line)


def initial_model(name_or_folder: str) -> CausalAudioTokenizer:
    """A freshly initialised preset, or the model in a folder."""
    if Path(name_or_folder).is_dir():
        return CausalAudioTokenizer.from_pretrained(name_or_folder)
    return CausalAudioTokenizer(TokenizerConfig.preset(name_or_folder))


def weighted_sum(losses: dict[str, Tensor], weights: dict[str, float]) -> Tensor:
    """Sum of losses by the weights of the same names; ValueError where the names differ."""
    if set(losses) != set(weights):
        raise ValueError(f"losses {sorted(losses)} and weights {sorted(weights)} must agree")
    return torch.stack([weights[name] * loss for name, loss in losses.items()]).sum()


def parameter_groups(model: torch.nn.Module, config: OptimizerConfig) -> list[dict[str, Any]]:
    """Matrices of the Transformers (with weight decay), codes (with their own rate), the rest.

    `rate` of a group multiplies the scheduled learning rate.
    """
    matrices, codes, rest = [], [], []
    for name, parameter in model.named_parameters():
        if name.endswith("codebook.weight"):
            codes.append(parameter)
        elif parameter.dim() == 2:
            matrices.append(parameter)
        else:
            rest.append(parameter)
    return [
        {"params": matrices, "weight_decay": config.weight_decay, "rate": 1.0},
        {"params": codes, "weight_decay": 0.0, "rate": config.codebook_rate},
        {"params": rest, "weight_decay": 0.0, "rate": 1.0},
    ]


class _StopOnRequest:
    """Turns SIGTERM and Ctrl-C into a polite request while the loop runs (main thread only)."""

    def __init__(self) -> None:
        self.asked = False
        self._before: dict[int, Any] = {}

    def __enter__(self) -> "_StopOnRequest":
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGTERM, signal.SIGINT):
                self._before[number] = signal.signal(number, self._ask)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _ask(self, *_: object) -> None:
        self.asked = True
