"""What a reward head sees of a response: surface features, its embedding, and how it meets its prompt.

    φ(x, y) = [ s(y),  cos(e_x, e_y),  e_y / √d,  (e_x ∘ e_y) / √d ]

with s a few counts and rates of the text, e unit-length embeddings of width d, and every column standardised
before the division: so the block of d embedding columns together weighs as much as one surface feature
under the same weight decay.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from rewardmodel.training.data import Responses

Embed = Callable[[Sequence[str]], np.ndarray]  # n texts -> (n, d)

SURFACE = (
    "log_characters",
    "log_words",
    "log_sentences",
    "log_words_per_sentence",
    "word_length",
    "log_type_token_ratio",
    "long_words",
    "punctuation_rate",
    "exclamation_marks",
    "question_marks",
    "uppercase_rate",
    "digits",
    "links",
    "line_breaks",
    "list_items",
    "code_marks",
    "quotation_marks",
    "starts_with_capital",
    "ends_a_sentence",
    "first_person_rate",
)
LENGTH = SURFACE.index("log_characters")  # what length alone predicts from
LIMIT = 4.0  # standard deviations of a surface feature: a rare one cannot run away on a text unlike any other
FAR = 8.0  # … of an embedding column, which is bounded by nature

_WORD = re.compile(r"\w+")
_SENTENCE = re.compile(r"[.!?。！？]+(?:\s|$)|\n+")
_LINK = re.compile(r"https?://|www\.")
_LIST_ITEM = re.compile(r"^\s*(?:[-*•]|\d+[.)])\s", re.MULTILINE)
_END = re.compile(r"[.!?。！？][\"')\]”’*]*\s*$")


def surface(text: str) -> list[float]:
    """The features named in SURFACE, unscaled; counts enter as log(1 + count)."""
    words, of = _WORD.findall(text), Counter(text)  # each character looked at once, whatever is asked of it
    characters, n = max(len(text), 1), max(len(words), 1)
    sentences = max(sum(1 for part in _SENTENCE.split(text) if part.strip()), 1)
    stripped, lengths = text.lstrip(), list(map(len, words))
    counts = (
        sum(length > 6 for length in lengths),
        of["!"],
        of["?"],
        sum(count for character, count in of.items() if character.isdigit()),
        len(_LINK.findall(text)),
        of["\n"],
        len(_LIST_ITEM.findall(text)),
        of["`"],
        sum(of[mark] for mark in '"“”'),
    )
    long, exclamations, questions, digits, links, lines, items, code, quotes = (
        float(np.log1p(c)) for c in counts
    )
    return [
        float(np.log1p(len(text))),
        float(np.log1p(len(words))),
        float(np.log1p(sentences)),
        float(np.log1p(n / sentences)),
        sum(lengths) / n,
        float(np.log1p(len(set(map(str.lower, words)))) - np.log1p(n)),
        long,
        sum(of[mark] for mark in ".,;:") / characters,
        exclamations,
        questions,
        sum(count for character, count in of.items() if character.isupper()) / characters,
        digits,
        links,
        lines,
        items,
        code,
        quotes,
        float(stripped[:1].isupper()),
        float(_END.search(text) is not None),
        (words.count("i") + words.count("I")) / n,
    ]


def raw(texts: Sequence[str], embeddings: np.ndarray, prompt_embeddings: np.ndarray) -> np.ndarray:
    """Features before standardisation.

    embeddings: (n, d) of the responses; prompt_embeddings: (n, d), row i that of response i's prompt.
    Returns (n, len(SURFACE) + 1 + 2 d) float64.
    """
    response, prompt = _unit(embeddings), _unit(prompt_embeddings)
    product = response * prompt
    counts = np.array([surface(text) for text in texts], dtype=np.float64).reshape(len(texts), len(SURFACE))
    return np.hstack([counts, product.sum(axis=1, keepdims=True), response, product])


def of_responses(embed: Embed, responses: Responses) -> np.ndarray:
    """The same of responses with their prompts, (n, f) float64."""
    vectors = embed([*responses.texts, *responses.prompt_texts])
    answers, prompts = vectors[: len(responses.texts)], vectors[len(responses.texts) :]
    return raw(responses.texts, answers, prompts[responses.prompt])


def _unit(vectors: np.ndarray) -> np.ndarray:
    vectors = vectors.astype(np.float64)
    return np.asarray(vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12))


@dataclass(frozen=True)
class Standardisation:
    """x -> clip((x - mean) · scale); a column constant where it was fitted has the scale 0."""

    mean: np.ndarray  # (f,)
    scale: np.ndarray  # (f,)
    limit: float = LIMIT

    def apply(self, features: np.ndarray) -> np.ndarray:
        """(n, f) -> (n, f) float32: surface features within `limit` deviations, embeddings within FAR, before
        the block scaling."""
        moved = (features - self.mean) * self.scale
        limit = np.full(len(self.mean), self.limit)
        limit[embedding_columns(len(limit))] = FAR
        limit *= block_scale(len(limit))
        return np.asarray(np.clip(moved, -limit, limit), dtype=np.float32)


def standardisation(features: np.ndarray) -> Standardisation:
    """Mean and scale of each column over the given responses. Uses no vote."""
    deviation = features.std(axis=0)
    scale = np.where(deviation > 1e-8, 1 / np.maximum(deviation, 1e-8), 0.0) * block_scale(features.shape[1])
    return Standardisation(features.mean(axis=0), scale)


def embedding_columns(width: int) -> slice:
    """The columns of features (n, width) that come from embeddings: e_y and e_x ∘ e_y."""
    return slice(len(SURFACE) + 1, width)


def block_scale(width: int) -> np.ndarray:
    """1 for surface features and the cosine, 1/√d for the two embedding blocks. Shape (width,)."""
    plain = len(SURFACE) + 1
    d = (width - plain) // 2
    return np.concatenate([np.ones(plain), np.full(2 * d, 1 / np.sqrt(max(d, 1)))])
