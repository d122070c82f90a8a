import pytest
import torch

from catok.data.prompt_fields import PromptFields
from catok.lm.loss import IGNORED
from catok.lm.messages import Message, assistant_message, user_message
from catok.lm.tokens import audio_tokens, pad_labels, pad_tokens, text_tokens
from tests.lm.conftest import random_tokens


def codes(frames, n_vq=4):
    return torch.arange(n_vq * frames).view(n_vq, frames) % 16


def text_of(prompt_builder, rows):
    return prompt_builder.text.decode(rows[:, 0].tolist())


def test_frames_carry_slot_and_codes_and_all_else_the_pad_code(small):
    rows = audio_tokens(codes(3), 5, small.config)
    assert rows[:, 0].tolist() == [3, 5, 5, 5, 4]
    assert torch.equal(rows[1:4, 1:], codes(3).t())
    assert bool((rows[[0, 4], 1:] == 16).all())
    assert audio_tokens(codes(0), 5, small.config)[:, 0].tolist() == [3, 4]


def test_padding_is_on_the_left(small):
    one, two = random_tokens(small.config, 1, 2)[0], random_tokens(small.config, 1, 4)[0]
    rows, mask = pad_tokens([one, two], small.config)
    assert mask.tolist() == [[False, False, True, True], [True] * 4]
    assert torch.equal(rows[0, 2:], one) and torch.equal(rows[1], two)
    assert rows[0, 0].tolist() == [0, 16, 16, 16, 16]
    labels = pad_labels([one, two])
    assert bool((labels[0, :2] == IGNORED).all()) and torch.equal(labels[0, 2:], one)
    with pytest.raises(ValueError, match="at least one sequence"):
        pad_tokens([], small.config)


def test_white_space_between_recordings_goes_other_text_stays():
    first, second = codes(2), codes(1)
    merged = assistant_message(first, " \n", second).merged()
    assert len(merged) == 1 and merged[0].shape == (4, 3)
    merged = assistant_message(first, "and ", "then", second, " ").merged()
    assert [part if isinstance(part, str) else part.shape[1] for part in merged] == [
        2,
        "and then",
        1,
        " ",
    ]
    assert [type(part) for part in assistant_message(" ", first, "").merged()] == [
        str,
        torch.Tensor,
    ]
    three = assistant_message(first, "\n", second, second)
    assert three.merged()[0].shape == (4, 4)


def test_a_continuation_ends_with_the_last_frame_of_the_prefix(prompt_builder):
    rows = prompt_builder.continuation([user_message("Hi."), assistant_message(codes(3))])
    assert rows[-1].tolist() == [6, *codes(3)[:, -1].tolist()]
    with pytest.raises(ValueError, match="end with a recording"):
        prompt_builder.continuation([user_message("Hi."), assistant_message(codes(3), " bye")])
    with pytest.raises(ValueError, match="end with the assistant's"):
        prompt_builder.continuation([user_message("Hi.")])


def test_a_prompt_for_text_ends_with_the_header(prompt_builder):
    message = Message("user", ("Write down: ", codes(2)))
    rows = prompt_builder.reply([message])
    assert text_of(prompt_builder, rows) == "user\nWrite down: \nassistant\n"
    assert (rows[:, 0] == 5).sum() == 2
    with pytest.raises(ValueError, match="end with the user's"):
        prompt_builder.generation([message, assistant_message("hello")])


def test_training_on_text_supervises_the_words_and_the_end(prompt_builder):
    conversation = [Message("user", (codes(2),)), assistant_message("hello")]
    rows, labels = prompt_builder.training(conversation)
    assert len(rows) == len(labels)
    assert bool((labels[:, 1:] == IGNORED).all())
    wanted = [*prompt_builder.text.encode("hello"), 2, *prompt_builder.text.encode("\n")]
    assert labels[labels[:, 0] != IGNORED][:, 0].tolist() == wanted
    assert torch.equal(prompt_builder.conversation(conversation)[:-1], rows)


def test_training_on_audio_supervises_from_the_first_frame(prompt_builder):
    rows, labels = prompt_builder.training(
        [user_message("Hi.", references=[codes(2)])] * 1 + [assistant_message(codes(3))]
    )
    supervised = (labels[:, 0] != IGNORED).nonzero().flatten().tolist()
    assert rows[supervised[0], 0] == 3
    assert supervised == list(range(supervised[0], len(rows)))
    assert labels[supervised, 0][:4].tolist() == [6, 6, 6, 4]
    assert torch.equal(labels[supervised[:3], 1:], codes(3).t())
    assert bool((labels[supervised[3:], 1:] == IGNORED).all())


@pytest.mark.parametrize("text", ["a <|audio|> b", "<|im_end|>", "x<|audio_assistant_gen_slot|>"])
@pytest.mark.parametrize("field", ["text", "instruction", "language"])
def test_special_strings_in_any_field_are_refused(prompt_builder, text, field):
    said = {"text": text} if field == "text" else {"fields": PromptFields(**{field: text})}
    with pytest.raises(ValueError, match="remove it"):
        prompt_builder.generation([user_message(**said)])


def test_a_field_cannot_be_filled_in_by_another(prompt_builder):
    rows = prompt_builder.generation(
        [user_message("words", PromptFields(instruction="{text} - Text:"))]
    )
    assert "- Instruction:\n{text} - Text:\n- Tokens:\nNone\n" in text_of(prompt_builder, rows)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (codes(3, 2), "2 codebooks, the model reads 4"),
        (codes(3).float(), "int64"),
        (codes(3)[None], r"\[K, F\]"),
        (codes(3) + 16, "valid are 0 to 15"),
    ],
)
def test_recordings_that_do_not_fit_are_refused(prompt_builder, wrong, message):
    with pytest.raises(ValueError, match=message):
        prompt_builder.generation([user_message("Hi.", references=[wrong])])


def test_other_roles_and_empty_conversations_are_refused(prompt_builder):
    with pytest.raises(ValueError, match='"user" or "assistant"'):
        prompt_builder.conversation([Message("system", ("x",))])
    with pytest.raises(ValueError, match="at least one message"):
        prompt_builder.conversation([])


def test_text_rows_of_nothing(small):
    assert text_tokens([], small.config).shape == (0, 5)
