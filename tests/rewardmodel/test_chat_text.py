"""Prompts and responses found again in what chat templates made of them."""

import pytest

from rewardmodel.training.scoring.conversation import Turn
from rewardmodel.training.serving import chat_text

SYSTEM, WHY, BECAUSE = Turn("system", "Be brief."), Turn("user", "Why?"), "Because\n\nit is."
TEMPLATED = {
    "chatml": (
        "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nWhy?<|im_end|>\n<|im_start|>assistant\n",
        "Because\n\nit is.<|im_end|>\n<|endoftext|>",
    ),
    "llama3": (
        "<|begin_of_text|><|start_header_id|>system<|end_header_id|>\n\nBe brief.<|eot_id|>"
        "<|start_header_id|>user<|end_header_id|>\n\nWhy?<|eot_id|>"
        "<|start_header_id|>assistant<|end_header_id|>\n\n",
        "Because\n\nit is.<|eot_id|>",
    ),
    "zephyr": ("<|system|>\nBe brief.</s>\n<|user|>\nWhy?</s>\n<|assistant|>\n", "Because\n\nit is.</s>"),
    "deepseek": (
        "<｜begin▁of▁sentence｜>Be brief.<｜User｜>Why?<｜Assistant｜>",
        "Because\n\nit is.<｜end▁of▁sentence｜>",
    ),
    "plain roles": ("System: Be brief.</s>\nHuman: Why?</s>\nAssistant:", " Because\n\nit is.</s>"),
    "alpaca": ("Be brief.\n\n### Instruction:\nWhy?\n\n### Response:\n", "Because\n\nit is.</s>"),
}


@pytest.mark.parametrize("name", TEMPLATED)
def test_the_turns_come_back_and_the_markers_go(name):
    prompt, answer = TEMPLATED[name]
    assert chat_text.turns(prompt) == (SYSTEM, WHY)
    assert chat_text.after_prompt(prompt + answer, prompt) == BECAUSE
    assert chat_text.part(prompt + answer) == chat_text.Parted((SYSTEM, WHY), BECAUSE)


def test_templates_without_a_system_turn():
    gemma = "<bos><start_of_turn>user\nWhy?<end_of_turn>\n<start_of_turn>model\n"
    assert chat_text.part(gemma + BECAUSE + "<end_of_turn>") == chat_text.Parted((WHY,), BECAUSE)
    assert chat_text.part(f"<s>[INST] Why? [/INST] {BECAUSE}</s>") == chat_text.Parted((WHY,), BECAUSE)


def test_the_response_is_the_last_answer_and_earlier_ones_are_prompt():
    text = "<|im_start|>user\nWhy?<|im_end|>\n<|im_start|>assistant\nNo.<|im_end|>\n"
    text += "<|im_start|>user\nReally?<|im_end|>\n<|im_start|>assistant\nYes.<|im_end|>\n"
    found = chat_text.part(text)
    assert found.response == "Yes."
    assert found.prompt == (WHY, Turn("assistant", "No."), Turn("user", "Really?"))


def test_without_a_template_a_prompt_is_one_turn_and_a_conversation_cannot_be_cut():
    assert chat_text.turns("Why is it so?") == (Turn("user", "Why is it so?"),)
    assert chat_text.part("Why is it so? Because.") is None
    assert chat_text.after_prompt("Why is it so? Because.", "Why is it so?") == "Because."
    assert chat_text.after_prompt("<s> Why? Because.</s></s>", "Why?") == "Because."
    assert chat_text.after_prompt("Because of: Why?", "Why?") is None  # not at the beginning
    assert chat_text.after_prompt("Because.", "") is None


def test_an_empty_response_is_a_response():
    prompt, _ = TEMPLATED["chatml"]
    assert chat_text.after_prompt(prompt + "<|im_end|>", prompt) == ""
    assert chat_text.part(prompt + "<|im_end|>").response == ""


@pytest.mark.parametrize("row", ["\n", " ", "<pad>", "</s> ", "[PAD]\n"])
def test_a_long_row_of_blanks_or_padding_within_a_text_is_walked_over_once(row):
    """Searched for from the front this takes minutes at a tenth of the length."""
    within = "One." + row * 100_000 + "Two."
    assert chat_text.strip_special(f"<s> {within} </s><pad>\n") == within
    assert chat_text.strip_special(row * 100_000 + "Two." + row * 100_000) == "Two."


@pytest.mark.parametrize("text", ["1 < 2 >", "a<b", "<|im_end", "im_end|>", "[1, 2]", "see [PAD]s", ">", "]"])
def test_what_only_looks_like_a_special_token_stays(text):
    assert chat_text.strip_special(f"  {text}</s>\n<pad>") == text
