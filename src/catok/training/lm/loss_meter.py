"""Sums of losses between two lines of the log, by task and channel."""

from typing import Any

import torch
from torch import Tensor

from catok.lm.speech_config import Task
from catok.training.engine.distributed import Group
from catok.training.lm.objective import BatchLoss


class LossMeter:
    """Adds up losses and what they are over; `channels` is 1 + n_vq.

    `sums` `[2, N]` float32: nats and targets, side by side of the batches' totals, of synthesis and
    recognition by channel, and of CTC in each. Nothing is moved to the CPU until `summary`.
    """

    def __init__(self, channels: int, device: torch.device) -> None:
        self._sizes = {"total": 1, "tts": channels, "asr": channels}
        self._sizes |= {"tts_ctc": 1, "asr_ctc": 1}
        self.sums = torch.zeros(2, sum(self._sizes.values()), device=device)

    def update(self, task: Task, loss: BatchLoss) -> None:
        """Take in the losses of one batch."""
        tokens = loss.tokens
        losses = tokens.per_channel.detach() * tokens.targets
        self._part(task)[:, : len(losses)] += torch.stack([losses, tokens.targets.float()])
        total = loss.total.detach()
        self._part("total")[:, 0] += torch.stack([total, torch.ones_like(total)])
        ctc = torch.stack([loss.ctc.detach(), loss.ctc_labels.float()])
        self._part(f"{task}_ctc")[:, 0] += ctc

    def reset(self) -> None:
        """Begin anew."""
        self.sums.zero_()

    def summary(self, group: Group) -> dict[str, Any]:
        """Means over everything since the last reset, and over all processes.

        "total" of batches; TASK_text; of synthesis also tts_audio, the mean over its codebooks, and
        tts_channels, text and every codebook (None where untrained); TASK_ctc. Only what there is.
        """
        sums = group.sum(self.sums).double().cpu()
        parts = dict(zip(self._sizes, sums.split(list(self._sizes.values()), dim=1), strict=True))
        means = {kind: _means(part) for kind, part in parts.items()}
        losses: dict[str, Any] = {"total": means["total"][0]}
        audio = [mean for mean in means["tts"][1:] if mean is not None]
        if audio:
            losses |= {"tts_text": means["tts"][0], "tts_channels": means["tts"]}
            losses["tts_audio"] = float(f"{sum(audio) / len(audio):.6g}")
        losses["asr_text"] = means["asr"][0]
        losses |= {name: means[name][0] for name in ("tts_ctc", "asr_ctc")}
        return {name: value for name, value in losses.items() if value is not None}

    def _part(self, kind: str) -> Tensor:
        first = 0
        for name, size in self._sizes.items():
            if name == kind:
                return self.sums[:, first : first + size]
            first += size
        raise KeyError(kind)


def _means(part: Tensor) -> list[float | None]:
    nats, targets = part.tolist()
    return [float(f"{n / t:.6g}") if t else None for n, t in zip(nats, targets, strict=True)]
