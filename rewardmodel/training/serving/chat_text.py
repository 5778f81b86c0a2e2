"""Turns out of one string: what a tokenizer's chat template made of a conversation, read back.

OpenRLHF and LLaMA-Factory send decoded tokens, special tokens and all. A reward model was trained on the
contents of the turns, so the markers must go. A text without the markers of any known template is left whole.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from rewardmodel.training.scoring.conversation import Turn

ROLES = {
    "human": "user", "instruction": "user", "inst": "user", "/inst": "assistant", "bot": "assistant",
    "model": "assistant", "response": "assistant",
}  # fmt: skip

# Where a turn begins, with its role; the family that uses it.
STYLES = tuple(
    re.compile(pattern)
    for pattern in (
        r"<\|im_start\|>(\w+)\n",  # ChatML: Qwen, Yi
        r"<\|start_header_id\|>(\w+)<\|end_header_id\|>\n*",  # Llama 3
        r"<start_of_turn>(\w+)\n",  # Gemma
        r"<\|(system|user|assistant)\|>\n?",  # Zephyr, Phi-3, GLM-4
        r"<｜(User|Assistant)｜>",  # DeepSeek
        r"\[(/?INST)\] ?",  # Llama 2, Mistral
        r"(?:^|\n)### (Instruction|Response): ?\n?",  # Alpaca
        r"(?:^|\n)(Human|User|System|Assistant): ?",  # LLaMA-Factory's default, DeepSeek's first
    )
)
SPECIAL = r"(?:<\|[\w▁]+\|>|<｜[^｜<>]+｜>|</?s>|<(?:bos|eos|pad|end_of_turn)>|\[(?:BOS|EOS|PAD|CLS|SEP)\])"
_SPECIAL = re.compile(SPECIAL)
_BEGIN = re.compile(rf"\s*(?:{SPECIAL}\s*)+")
OPENS = {">": "<", "]": "["}  # how a special token that ends so begins


@dataclass(frozen=True)
class Parted:
    """A conversation in one string, cut before its last answer."""

    prompt: tuple[Turn, ...]
    response: str


def turns(text: str) -> tuple[Turn, ...]:
    """The turns of a templated prompt; the text itself as one turn of the user when it has no template.

    What stands before the first marker is the system's; the empty turn that asks for an answer is left out.
    """
    style = _style_of(text)
    if style is None:
        return (Turn("user", strip_special(text)),)
    found = [Turn("system", strip_special(text[: next(style.finditer(text)).start()]))]
    marks = list(style.finditer(text))
    for mark, following in zip(marks, [*marks[1:], None], strict=True):
        role = mark[1].lower()
        content = text[mark.end() : following.start() if following else len(text)]
        found.append(Turn(ROLES.get(role, role), strip_special(content)))
    return tuple(turn for turn in found if turn.content)


def part(text: str) -> Parted | None:
    """Prompt and response of a whole conversation: the response is its last assistant turn.

    None when no known template says where that begins.
    """
    style = _style_of(text)
    last = None
    for mark in style.finditer(text) if style else ():
        if ROLES.get(mark[1].lower(), mark[1].lower()) == "assistant":
            last = mark
    if last is None:
        return None
    return Parted(turns(text[: last.start()]), strip_special(text[last.end() :]))


def after_prompt(query: str, prompt: str) -> str | None:
    """What the policy wrote, of a query that begins with its prompt; None when it does not.

    Decoding may put a special token or a blank before the prompt, so it is looked for near the beginning.
    """
    at = query.find(prompt)
    if at < 0 or not prompt or strip_special(query[:at]):
        return None
    return strip_special(query[at + len(prompt) :])


def strip_special(text: str) -> str:
    """Without special tokens and white space at both ends. Walks back from the end, token by token: searched
    for from the front, a long row of blanks or padding within the text would take minutes."""
    begin = _BEGIN.match(text)
    text = text[begin.end() if begin else 0 :].rstrip()
    end = len(text)
    while end and (opens := OPENS.get(text[end - 1])):
        at = text.rfind(opens, 0, end)
        if at < 0 or not _SPECIAL.fullmatch(text, at, end):
            break
        end = at
        while end and text[end - 1].isspace():
            end -= 1
    return text[:end].strip()


def _style_of(text: str) -> re.Pattern[str] | None:
    return next((style for style in STYLES if style.search(text)), None)
