"""Text and its speech side by side: positions along time, whole and in chunks."""

from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from catok.data.prompt_fields import PromptFields
from catok.lm.config import LanguageConfig
from catok.lm.generation import generate
from catok.lm.messages import Message, assistant_message, user_message
from catok.lm.phrases import PHRASES
from catok.lm.positions import position_ids
from catok.lm.prompt import PromptBuilder
from catok.lm.sampling import SamplingConfig
from catok.lm.text import ByteTokenizer
from catok.lm.tokens import pad_tokens
from tests.lm.conftest import build, small_config

LANGUAGE = replace(small_config().language_config, vocab_size=264 + len(PHRASES))
CONFIG = small_config(language_config=LANGUAGE, text_rate=2.0)


def codes(frames, seed=0):
    return torch.randint(16, (4, frames), generator=torch.Generator().manual_seed(seed))


def request(text, reference=None):
    references = None if reference is None else [reference]
    return user_message(text, PromptFields(language="en"), references=references)


def rows_of(messages):
    return PromptBuilder(CONFIG, ByteTokenizer(CONFIG)).conversation(messages)


def whole_positions(rows):
    return position_ids(rows[None, :, 0], torch.ones(1, len(rows), dtype=torch.bool), CONFIG)[0][0]


def frames_of(rows, slot):
    return (rows[:, 0] == slot).nonzero()[:, 0]


def text_of(rows, text):
    """Where the bytes of `text` stand in the rows, for the last time."""
    ids = ByteTokenizer(CONFIG).encode(text)
    channel = rows[:, 0].tolist()
    starts = [i for i in range(len(channel)) if channel[i : i + len(ids)] == ids]
    return torch.arange(starts[-1], starts[-1] + len(ids))


@pytest.mark.parametrize("reference", [None, codes(5)])
def test_speech_stands_beside_its_text(reference):
    rows = rows_of([request("four words of text", reference), assistant_message(codes(9))])
    found = whole_positions(rows)
    text = found[text_of(rows, "four words of text")]
    speech = found[frames_of(rows, CONFIG.audio_assistant_gen_slot_token_id)]
    begun = float(text[0]) - 0.5
    torch.testing.assert_close(text, begun + 0.5 * torch.arange(1.0, 19.0))
    torch.testing.assert_close(speech, begun + torch.arange(1.0, 10.0))


def test_a_transcript_stands_beside_its_recording():
    rows = rows_of([Message("user", (codes(9),)), assistant_message("heard")])
    found = whole_positions(rows)
    heard = found[frames_of(rows, CONFIG.audio_user_slot_token_id)]
    text = found[text_of(rows, "heard")]
    torch.testing.assert_close(text, float(heard[0]) - 1 + 0.5 * torch.arange(-1.0, 4.0))


def test_every_answer_stands_beside_what_it_answers():
    first = [request("one"), assistant_message(codes(3))]
    rows = rows_of([*first, request("two"), assistant_message(codes(4))])
    found = whole_positions(rows)
    speech = found[frames_of(rows, CONFIG.audio_assistant_gen_slot_token_id)]
    assert float(speech[0]) == float(found[text_of(rows, "one")[0]]) + 0.5
    assert float(speech[3]) == float(found[text_of(rows, "two")[0]]) + 0.5
    assert len(set(speech.tolist())) == 7


CHUNKS = st.lists(st.integers(1, 30), min_size=1, max_size=20)


@settings(deadline=None)
@given(sizes=CHUNKS, text=st.text("abc é", max_size=20), frames=st.integers(0, 12))
def test_chunks_and_padding_change_nothing(sizes, text, frames):
    one = rows_of([request(text, codes(3)), assistant_message(codes(frames + 1))])
    other = rows_of([Message("user", (codes(7),)), assistant_message(text or "x")])
    rows, mask = pad_tokens([one, other], CONFIG)
    position_state, parts, start = None, [], 0
    while start < rows.shape[1]:
        size = sizes[len(parts) % len(sizes)]
        piece, position_state = position_ids(
            rows[:, start : start + size, 0], mask[:, start : start + size], CONFIG, position_state
        )
        parts.append(piece)
        start += size
    found = torch.cat(parts, dim=1)
    for row, alone in enumerate((one, other)):
        torch.testing.assert_close(found[row][mask[row]], whole_positions(alone))
    assert position_state is not None
    assert torch.equal(position_state.select(torch.tensor([1])).last, found[1:, -1])


def test_the_model_speaks_alike_alone_together_and_step_by_step():
    model = build(CONFIG)
    prompt_builder = PromptBuilder(CONFIG, ByteTokenizer(CONFIG))
    prompts = [prompt_builder.generation([request(text)]) for text in ("a", "longer than that")]
    greedy = SamplingConfig.greedy(restrict_text=True)
    together = generate(model, prompts, sampling=greedy, max_frames=6, seeds=[0, 0])
    for prompt, found in zip(prompts, together, strict=True):
        (alone,) = generate(model, [prompt], sampling=greedy, max_frames=6, seeds=[0])
        assert torch.equal(alone.codes, found.codes)
    answer = rows_of([request("a"), assistant_message(codes(5))])[None]
    whole, _ = model.temporal(answer)
    state, parts = None, []
    for row in answer.split(1, dim=1):
        hidden, state = model.temporal(row, None, state)
        parts.append(hidden)
    torch.testing.assert_close(torch.cat(parts, dim=1), whole, atol=1e-4, rtol=1e-4)


@torch.no_grad()
def test_places_matter_and_are_checked():
    model = build(CONFIG)
    plain = build(replace(CONFIG, text_rate=0.0))
    plain.load_state_dict(model.state_dict())
    rows = rows_of([request("a"), assistant_message(codes(5))])[None]
    difference = (model.temporal(rows)[0] - plain.temporal(rows)[0]).abs()
    answer = int((rows[0, :, 0] == 264 + PHRASES.index("assistant\n")).nonzero()[-1])
    assert float(difference[:, answer:].max()) > 1e-3
    with pytest.raises(ValueError, match="text_rate"):
        replace(CONFIG, text_rate=-1.0)
    with pytest.raises(ValueError, match="text_rate.*phrases"):
        replace(CONFIG, language_config=LanguageConfig())
