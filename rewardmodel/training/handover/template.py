"""The chat template of encoders: how long the response is, the prompt's turns, a separator, the response.

The text is whole: it holds [CLS] and [SEP] itself, for trainers tokenise it without adding any. Length, which
a mean over tokens forgets, is a token of its own: [length-k] for a response of n characters, with k the
number of powers RATIO⁰, RATIO¹, … that are at most n + 1.
"""

from __future__ import annotations

from typing import Any

LEVELS, RATIO = 128, 1.09  # up to 60,000 characters in steps of 9 %

_TEMPLATE = (
    "{{- CLS -}}"
    "{%- if messages[-1]['role'] == 'assistant' -%}"
    "{%- set n = namespace(level=0, power=1.0) -%}"
    "{%- for _ in range(HIGHEST) -%}"
    "{%- if n.power <= messages[-1]['content']|length + 1 -%}"
    "{%- set n.level = n.level + 1 -%}{%- set n.power = n.power * RATIO -%}"
    "{%- endif -%}{%- endfor -%}"
    "{{- '[length-' + n.level|string + ']' -}}"
    "{%- endif -%}"
    "{%- for message in messages -%}"
    "{%- if loop.last and message['role'] == 'assistant' -%}"
    "{{- SEP + message['content'] + SEP -}}"
    "{%- else -%}"
    "{%- if not loop.first -%}{{- '\\n' -}}{%- endif -%}"
    "{{- message['content'] -}}"
    "{%- if loop.last -%}{{- SEP -}}{%- endif -%}"
    "{%- endif -%}"
    "{%- endfor -%}"
)


def length_token(level: int) -> str:
    return f"[length-{level}]"


def level(text: str) -> int:
    """k of the response's length token; the template counts in the same steps."""
    found, power = 0, 1.0
    while found < LEVELS - 1 and power <= len(text) + 1:
        found, power = found + 1, power * RATIO
    return found


def for_encoder(tokenizer: Any) -> str:
    """The template with the tokenizer's own special tokens written out."""
    filled = _TEMPLATE.replace("HIGHEST", str(LEVELS - 1)).replace("RATIO", repr(RATIO))
    filled = filled.replace("CLS", repr(str(tokenizer.cls_token)))
    return filled.replace("SEP", repr(str(tokenizer.sep_token)))


def render(tokenizer: Any, messages: list[dict[str, str]]) -> str:
    """The text that trainers score."""
    text: str = tokenizer.apply_chat_template(messages, tokenize=False)
    return text
