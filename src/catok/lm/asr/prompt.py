"""The conversation of recognition: the user's message is a recording, the answer its text."""

import torch
from torch import Tensor

from catok.lm.messages import Message
from catok.lm.prompt import Prompter
from catok.lm.rows import audio_rows


def request(codes: Tensor) -> Message:
    """What the user says: the recording `[n_vq, F]` and nothing else."""
    return Message("user", (codes,))


class ListeningPrompt:
    """The prompt's rows in three parts, so that a recording can be heard as it comes in.

    `opening` `[A, 1 + n_vq]` ends with audio_start; `closing` `[Z, 1 + n_vq]` begins with audio_end
    and ends with the assistant's header. With the frames between them they are the rows of
    `Prompter.reply`.
    """

    def __init__(self, prompter: Prompter) -> None:
        self._config = config = prompter.config
        empty = torch.empty(config.n_vq, 0, dtype=torch.int64, device="cpu")
        rows = prompter.reply([request(empty)])
        end = int((rows[:, 0] == config.audio_end_token_id).nonzero()[0])
        self.opening, self.closing = rows[:end], rows[end:]

    def frames(self, codes: Tensor) -> Tensor:
        """Codes `[K, F]`, K at most n_vq -> rows `[F, 1 + n_vq]`; codebooks above K hold code 0.

        Raises ValueError on codes that do not fit the model.
        """
        missing = max(0, self._config.n_vq - len(codes))
        whole = torch.nn.functional.pad(codes, (0, 0, 0, missing))
        return audio_rows(whole, self._config.audio_user_slot_token_id, self._config)[1:-1]
