"""Speech said several times over, of which the best is kept: what a recogniser understands best.

Sampling gives another reading for every seed. A recogniser of the same codes says how likely the
text is, given each of them: a small model's odd slip is left out, for so many times the work.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from catok.io.numbers import check_whole_number
from catok.lm.asr.likelihood import text_log_probs
from catok.lm.asr.recognizer import Recognizer
from catok.lm.sampler import SEEDS, check_seed, draw_seeds
from catok.lm.sampling import SamplingConfig
from catok.lm.tts.request import Request
from catok.lm.tts.speech import Speech

if TYPE_CHECKING:
    from catok.lm.tts.synthesizer import Synthesizer

STRIDE = 1_000_003  # between the seeds of two candidates, so that seed + 1 is not one of them


class Chooser:
    """Makes `candidates` readings of every request; `judge` hears them all.

    Raises ValueError on fewer than one candidate, and when the judge has no CTC head.
    """

    def __init__(self, judge: Recognizer, candidates: int) -> None:
        check_whole_number("candidates", candidates, at_least=1)
        judge.listener.need_head()
        self.judge, self.candidates = judge, candidates

    def speak(
        self,
        synth: "Synthesizer",
        requests: Sequence[Request],
        texts: Sequence[str],
        *,
        num_quantizers: int | None = None,
        sampling: SamplingConfig | None = None,
        seeds: Sequence[int] | None = None,
        max_seconds: float,
    ) -> list[Speech]:
        """The best reading of every request, whose new words are `texts`.

        One that ended by itself goes before one that was cut off, and that before silence; then the
        likelier text decides, then the earlier candidate. The first candidate is what
        `synth.speak` gives for the seeds.
        Raises ValueError when judge and synthesizer have other codes, and as `synth.speak` does.
        """
        if self.judge.tokenizer.weight_hash != synth.tokenizer.weight_hash:
            raise ValueError(
                f"the judge hears codes of {self.judge.tokenizer.weight_hash}, the speech is in "
                f"codes of {synth.tokenizer.weight_hash}: name a recogniser of the same tokenizer"
            )
        if len(texts) != len(requests):
            raise ValueError(f"{len(requests)} requests need as many texts, got {len(texts)}")
        seeds = draw_seeds(len(requests)) if seeds is None else [check_seed(s) for s in seeds]
        made = synth.write(
            [request for request in requests for _ in range(self.candidates)],
            num_quantizers=num_quantizers,
            sampling=sampling,
            seeds=[
                (seed + STRIDE * turn) % SEEDS for seed in seeds for turn in range(self.candidates)
            ],
            max_seconds=max_seconds,
        )
        codes = [each.codes for each in made]
        said = [text for text in texts for _ in range(self.candidates)]
        scores = text_log_probs(self.judge, codes, said)
        best = [
            max(
                range(first, first + self.candidates),
                key=lambda i: (codes[i].shape[1] > 0, made[i].ended, scores[i]),
            )
            for first in range(0, len(made), self.candidates)
        ]
        return synth.sound(requests, [made[index] for index in best])
