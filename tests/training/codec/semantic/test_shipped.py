"""The semantic head that is published beside `tiny`."""

from pathlib import Path

import pytest
import torch

from catok import CausalAudioTokenizer, load_audio
from catok.io.hub import EMBEDDED
from catok.training.codec.semantic.head import SemanticHead

pytestmark = pytest.mark.slow

SPEECH = Path(__file__).parents[4] / "examples" / "speech.flac"
SAID = (  # in the first 4.8 s and in the rest
    "the person you are calling is not at their desk; I will try to locate them for you",
    "press 1 to switch to playback mode, press 8 to truncate the file and start over",
)


@torch.no_grad()
@pytest.mark.parametrize("num_quantizers", [8, 32])
def test_it_hears_which_text_was_said(num_quantizers):
    tok = CausalAudioTokenizer.from_pretrained("tiny", part="encoder")
    head = SemanticHead.from_pretrained(EMBEDDED / "tiny" / "semantic").eval()
    audio, rate = load_audio(SPEECH)
    cut = round(4.8 * rate)
    losses = []
    for part in (audio[:, :cut], audio[:, cut:]):
        latents = tok.embed(tok.encode(part[None], num_quantizers=num_quantizers).codes)
        frames = torch.tensor([latents.shape[2]])
        losses.append([float(head(latents, frames, [text], ["asr"]).loss) for text in SAID])
    for part, other in ((0, 1), (1, 0)):
        assert losses[part][part] < 1.5  # nats per byte
        assert losses[part][part] < 0.75 * losses[other][part]


def test_it_fits_in_with_the_others():
    files = [f for f in (EMBEDDED / "tiny").glob("*/*") if f.is_file()]
    assert {f.parent.name for f in files} == {"discriminators", "semantic"}
    assert sum(f.stat().st_size for f in files) < 25e6
