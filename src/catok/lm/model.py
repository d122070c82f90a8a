"""The token language model: frames along time, channels inside each frame.

Source: `docs/spec/tts-layout.md`.
Every call takes K, the codebooks in use: channels above K are neither summed into the input nor
run in depth, so that one model serves every bitrate (paper 6.1).
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Unpack

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from catok.io.devices import as_device
from catok.io.hub import HubOptions, find_folder
from catok.io.stored_weights import StoredWeights
from catok.io.weights import float_dtype
from catok.lm import folder as folders
from catok.lm.config import TokenLMConfig
from catok.lm.depth_transformer import DepthState, DepthTransformer
from catok.lm.embedding import FrameEmbedding
from catok.lm.heads import ChannelHeads
from catok.lm.interface import BaseTokenLM
from catok.lm.layers import SwiGLU
from catok.lm.loss import IGNORED, TokenLoss, combine, total_loss
from catok.lm.positions import position_ids
from catok.lm.temporal_transformer import TemporalState, TemporalTransformer
from catok.tokenizer.checks import check_quantizers


class TokenLM(nn.Module, BaseTokenLM):
    """Tokens `[B, T, 1 + n_vq]` -> those of the next step, channel by channel: text, then codes."""

    def __init__(self, config: TokenLMConfig) -> None:
        super().__init__()
        self.config = config
        self.embedding = FrameEmbedding(config)
        self.backbone = TemporalTransformer(config.language_config, config.initializer_range)
        self.adapter = SwiGLU(
            config.width, config.additional_mlp_ffn_hidden_size, config.local_hidden_size
        )
        self.depth = DepthTransformer(config)
        self.heads = ChannelHeads(config)
        for module in self.modules():
            if isinstance(module, nn.Linear | nn.Embedding):
                nn.init.normal_(module.weight, std=config.initializer_range)
            if isinstance(module, nn.Embedding) and module.padding_idx is not None:
                nn.init.zeros_(module.weight[module.padding_idx])

    @classmethod
    def from_pretrained(
        cls,
        name_or_path: str | Path,
        *,
        device: str | torch.device = "cpu",
        dtype: str | torch.dtype = torch.float32,
        **hub: Unpack[HubOptions],
    ) -> "TokenLM":
        """Load an embedded name, a local folder (ours or a released one) or a hub id.

        A folder never touches the network; for a hub id see `HubOptions`. `dtype` float32, bfloat16
        or float16, also by name. Raises ValueError when it is another kind of model, damaged or
        incomplete.
        """
        dtype, device = float_dtype(dtype), as_device(device)
        folder = find_folder(name_or_path, **hub)
        config, weights = folders.load_config(folder), StoredWeights.of_folder(folder)
        model = weights.build(lambda: cls(config))
        tensors = folders.load_tensors(weights, model.state_dict(), dtype)
        model.load_state_dict(tensors, assign=True)
        model.backbone.restore_buffers()
        return model.to(device).eval()

    def save_pretrained(
        self, folder: str | Path, *, dtype: str | torch.dtype | None = None
    ) -> None:
        """Write config.json and model.safetensors in the released layout; `dtype` narrows it."""
        folders.save_folder(folder, self.config, self.state_dict(), dtype)

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return self.depth.norm.weight.device

    def temporal(
        self,
        tokens: Tensor,
        mask: Tensor | None = None,
        state: TemporalState | None = None,
        num_quantizers: int | None = None,
        keep_state: bool = True,
    ) -> tuple[Tensor, TemporalState | None]:
        """As `BaseTokenLM.temporal`."""
        depth = check_quantizers(num_quantizers, self.config.n_vq)
        embeddings = self.embedding(tokens, depth)
        if not self.config.text_rate:
            return self.backbone(embeddings, mask, state, keep_state)
        real = torch.ones_like(tokens[..., 0], dtype=torch.bool) if mask is None else mask
        positions, position_state = position_ids(
            tokens[..., 0], real, self.config, state and state.position_state
        )
        hidden, after = self.backbone(embeddings, mask, state, keep_state, positions)
        return hidden, after and replace(after, position_state=position_state)

    def depth_outputs(self, hidden: Tensor, labels: Tensor, last: int) -> Tensor:
        """Teacher forcing of N frames at once: the depth transformer's output `[N, 1 + last, d]`.

        `hidden` `[N, D]`; `labels` `[N, at least last]` int64, the frames' true tokens; a negative
        one is the zero vector. Position i has seen the tokens of channels below i.
        """
        inputs = [hidden]
        inputs += [self.embedding.token(i, labels[:, i]).to(hidden.dtype) for i in range(last)]
        return self.depth(self.adapter(torch.stack(inputs, dim=1)))[0]

    def depth_logits(
        self, hidden: Tensor, labels: Tensor, num_quantizers: int | None = None
    ) -> tuple[Tensor, Tensor]:
        """Logits of N frames under teacher forcing, float32: text `[N, V]` and audio `[N, K, A]`.

        A counts the pad code, whose logit is not masked here. Arguments as in `depth_outputs`.
        """
        depth = check_quantizers(num_quantizers, self.config.n_vq)
        outputs = self.depth_outputs(hidden, labels, depth)
        audio = [self.heads(i, outputs[:, i]) for i in range(1, depth + 1)]
        return self.heads(0, outputs[:, 0]), torch.stack(audio, dim=1)

    def loss(
        self,
        tokens: Tensor,
        labels: Tensor,
        mask: Tensor | None = None,
        num_quantizers: int | None = None,
        channel_weights: Sequence[float] | Tensor | None = None,
    ) -> TokenLoss:
        """Loss of a batch over text and the first K codebooks.

        `tokens` and `labels` `[B, T, 1 + n_vq]` int64, labels already one step ahead, -100 where
        nothing is to be predicted; `mask` `[B, T]` bool; `channel_weights` at least 1 + K numbers.
        Depth and heads run on supervised positions only: where nothing above the first codebook is
        asked (the text's end, thinned frames) no deeper than that, elsewhere to the deepest target.
        Channels that do not run get no gradient: under DDP, use `find_unused_parameters`. A batch
        without any target has loss 0, with a (zero) gradient.
        """
        if labels.shape != tokens.shape:
            raise ValueError(
                f"labels {list(labels.shape)} must have the shape of tokens {list(tokens.shape)}"
            )
        hidden, _ = self.temporal(tokens, mask, None, num_quantizers, keep_state=False)
        return self.loss_after(hidden, labels, num_quantizers, channel_weights)

    def loss_after(
        self,
        hidden: Tensor,
        labels: Tensor,
        num_quantizers: int | None = None,
        channel_weights: Sequence[float] | Tensor | None = None,
    ) -> TokenLoss:
        """`loss` from the positions' hidden states `[B, T, D]`, for who needs those too."""
        depth = check_quantizers(num_quantizers, self.config.n_vq)
        labels = labels[..., : 1 + depth]
        targets = (labels != IGNORED).sum(dim=(0, 1))
        channels = torch.arange(1, 2 + depth, device=labels.device)
        reach = ((labels != IGNORED) * channels).amax(dim=2)  # 1 + the deepest channel to learn
        if not bool(reach.any()):
            reach[0, -1] = 1
        totals = torch.zeros(1 + depth, dtype=torch.float32, device=hidden.device)
        shallow = (reach > 0) & (reach <= 2)  # apart, so that they do not run to the deepest target
        for chosen in (shallow, reach > 2):
            if bool(chosen.any()):
                last = int(reach[chosen].max()) - 1
                channel_totals = self._channel_totals(hidden[chosen], labels[chosen], last)
                totals = totals + F.pad(channel_totals, (0, depth - last))
        return combine(totals / targets.clamp(min=1), targets, channel_weights)

    def _channel_totals(self, hidden: Tensor, labels: Tensor, last: int) -> Tensor:
        """Cross-entropy `[1 + last]` of each channel, summed over N positions."""
        outputs = self.depth_outputs(hidden, labels, last)
        return torch.stack(
            [total_loss(self.heads(i, outputs[:, i]), labels[:, i]) for i in range(last + 1)]
        )

    def forward(
        self,
        tokens: Tensor,
        labels: Tensor,
        mask: Tensor | None = None,
        num_quantizers: int | None = None,
        channel_weights: Sequence[float] | Tensor | None = None,
    ) -> TokenLoss:
        """`loss`, for wrappers such as DDP that call a module."""
        return self.loss(tokens, labels, mask, num_quantizers, channel_weights)

    def depth_step(
        self, channel: int, previous: Tensor, past: DepthState | None
    ) -> tuple[Tensor, DepthState]:
        """As `BaseTokenLM.depth_step`; a negative token is the zero vector."""
        vectors = self.embedding.token(channel - 1, previous) if channel else previous
        output, state = self.depth(self.adapter(vectors[:, None]), past)
        logits = self.heads(channel, output[:, 0])
        if channel:
            logits[:, self.config.audio_pad_code] = float("-inf")
        return logits, state
