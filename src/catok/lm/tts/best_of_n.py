"""Speech generated several times over, of which the best is kept, as a recogniser sees it.

Sampling gives another result for every seed. A recogniser of the same codes says how likely the
text is, given each of them: a small model's odd slip is left out, for N times the work.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from catok.io.numbers import check_whole_number
from catok.lm.asr.recognizer import Recognizer
from catok.lm.asr.scoring import ctc_scores
from catok.lm.generation import Generated
from catok.lm.sampler import SEEDS
from catok.lm.tts.prompt import SpeechPrompt, by_settings
from catok.lm.tts.request import SpeechRequest
from catok.lm.tts.speech import Speech

if TYPE_CHECKING:
    from catok.lm.tts.synthesizer import Synthesizer

STRIDE = 1_000_003  # between the seeds of two candidates, so that seed + 1 is not one of them


class BestOfN:
    """Makes `candidates` of every request; the `reranker` scores them all.

    Raises ValueError on fewer than one candidate, and when the reranker has no CTC head.
    """

    def __init__(self, reranker: Recognizer, candidates: int) -> None:
        check_whole_number("candidates", candidates, at_least=1)
        reranker.prefiller.need_head()
        self.reranker, self.candidates = reranker, candidates

    def synthesize(
        self, synth: "Synthesizer", requests: Sequence[SpeechRequest | str]
    ) -> list[Speech]:
        """The best candidate of every request.

        One that ended by itself goes before one that was cut off, and that before silence; then the
        likelier text decides, then the earlier candidate. The first candidate is what
        `synth.synthesize` gives.
        Raises ValueError when reranker and synthesizer have other codes, and as that does.
        """
        return self.synthesize_prompts(synth, synth.prompts(requests))

    def synthesize_prompts(
        self, synth: "Synthesizer", prompts: Sequence[SpeechPrompt]
    ) -> list[Speech]:
        """The same of prompts that are ready."""
        if self.reranker.tokenizer.weight_hash != synth.tokenizer.weight_hash:
            raise ValueError(
                f"the reranker reads codes of {self.reranker.tokenizer.weight_hash}, the speech is "
                f"in codes of {synth.tokenizer.weight_hash}: name a recogniser of the same "
                "tokenizer"
            )
        best: dict[int, Generated] = {}
        for group in by_settings(prompts):
            best |= zip(group, self._best(synth, [prompts[i] for i in group]), strict=True)
        return synth.decode_codes(prompts, [best[index] for index in range(len(prompts))])

    def _best(self, synth: "Synthesizer", prompts: Sequence[SpeechPrompt]) -> list[Generated]:
        """Of prompts with the same settings."""
        count = self.candidates
        candidates = [
            replace(prompt, seed=(prompt.seed + STRIDE * turn) % SEEDS)
            for prompt in prompts
            for turn in range(count)
        ]
        outputs = synth.generate_codes(candidates)
        codes = [output.codes for output in outputs]
        scores = ctc_scores(self.reranker, codes, [each.text for each in candidates])
        ranks = [
            (output.codes.shape[1] > 0, output.ended, score)
            for output, score in zip(outputs, scores, strict=True)
        ]
        return [
            outputs[max(range(first, first + count), key=ranks.__getitem__)]
            for first in range(0, len(outputs), count)
        ]
