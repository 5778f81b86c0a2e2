"""Prompts as points by their words alone, so that prompts without any response can be placed beside others.

TF-IDF of words with sublinear counts in at most 50 latent directions (LSA: Deerwester et al. 1990), lengths
scaled to 1. Coarser than an encoder; it needs no model and never leaves the machine.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from activelearning.acquisition.pool import Floats

DIMENSIONS = 50
MOST_CHARACTERS = 4_000  # of a prompt: what it is about is said by then
MOST_WORDS = 20_000


def word_points(texts: Sequence[str], rng: np.random.Generator) -> Floats:
    """(n, f) points of the texts; zeros where no word is shared by two of them."""
    from sklearn.decomposition import TruncatedSVD
    from sklearn.feature_extraction.text import TfidfVectorizer

    nothing = np.zeros((len(texts), 1))
    try:
        weighed = TfidfVectorizer(sublinear_tf=True, min_df=2, max_features=MOST_WORDS).fit_transform(
            [text[:MOST_CHARACTERS] for text in texts]
        )
    except ValueError:  # no word is left
        return nothing
    width = min(DIMENSIONS, min(weighed.shape) - 1)
    if width < 1:
        return nothing
    latent = TruncatedSVD(width, random_state=int(rng.integers(1 << 31))).fit_transform(weighed)
    return np.asarray(latent / np.maximum(np.linalg.norm(latent, axis=1, keepdims=True), 1e-9))
