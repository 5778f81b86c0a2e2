"""From prompt and response to token ids: chat template, EOS at the end, length."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from jinja2 import TemplateError

from rewardmodel.training.data import Responses
from rewardmodel.training.failure import BackboneError

CHUNK = 1_000  # texts rendered and tokenised at once


def resolve(template: str, tokenizer: Any) -> str:
    """ "chat" or "plain": what "auto" means for this tokenizer."""
    if template == "chat" and not tokenizer.chat_template:
        raise BackboneError('The tokenizer has no chat template. Set template to "plain".')
    return ("chat" if tokenizer.chat_template else "plain") if template == "auto" else template


def tokenise(
    tokenizer: Any, template: str, responses: Responses, rows: Sequence[int] | None = None
) -> list[list[int]]:
    """Token ids of the responses at `rows` (all), each after its prompt and ending with EOS; never cut."""
    wanted = range(len(responses.ids)) if rows is None else rows
    found: list[list[int]] = []
    for start in range(0, len(wanted), CHUNK):
        part = wanted[start : start + CHUNK]
        texts = [_rendered(tokenizer, template, responses, int(row)) for row in part]
        found += tokenizer(texts, add_special_tokens=template == "plain")["input_ids"]
    return [_ended(tokenizer, ids) for ids in found]


def _rendered(tokenizer: Any, template: str, responses: Responses, row: int) -> str:
    try:
        return rendered(tokenizer, template, *_conversation(responses, row))
    except TemplateError as error:  # some take no system turn, or want turns to alternate
        raise BackboneError(
            f"The chat template cannot write the conversation of response {responses.ids[row]!r}: {error}. "
            'Set template to "plain", or use a backbone whose template can.'
        ) from None


def rendered(tokenizer: Any, template: str, turns: list[dict[str, str]], text: str) -> str:
    """The one string that is tokenised; transformers renders templates in a sandbox."""
    if template == "plain":
        return "\n".join(turn["content"] for turn in turns) + "\n\n" + text
    answer = {"role": "assistant", "content": text}
    return str(tokenizer.apply_chat_template([*turns, answer], tokenize=False))


def cut(ids: list[int], max_length: int, bos: int | None) -> list[int]:
    """At most max_length tokens: the end of the response is what is kept, and BOS if there was one."""
    if len(ids) <= max_length:
        return ids
    if ids[0] == bos:
        return [ids[0], *ids[len(ids) - max_length + 1 :]]
    return ids[len(ids) - max_length :]


def _conversation(responses: Responses, row: int) -> tuple[list[dict[str, str]], str]:
    turns = json.loads(responses.turns[responses.prompt[row]])
    clean = [{"role": str(turn["role"]), "content": _utf8(str(turn["content"]))} for turn in turns]
    return clean, _utf8(responses.texts[row])


def _utf8(text: str) -> str:
    return text.encode("utf-8", "replace").decode()  # a lone surrogate stops the tokenizer


def _ended(tokenizer: Any, ids: list[int]) -> list[int]:
    """EOS is the last token, or what the template writes after EOS is."""
    return ids if tokenizer.eos_token_id in ids[-2:] else [*ids, tokenizer.eos_token_id]
