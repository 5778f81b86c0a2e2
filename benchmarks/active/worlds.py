"""Features of the texts, and the three splits on which recipes are measured."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer

from activelearning.acquisition.projection import fit_projection
from activelearning.acquisition.replay import World
from benchmarks.active.data import Votes
from rewardmodel.training import encoder, features

DIMENSIONS = 128
SPLITS = ("seen responses", "unseen responses", "unseen prompts")
LEAST_TEST, LEAST_POOL = 80, 150


@dataclass(frozen=True, eq=False)
class Corpus:
    """Everything but the split: a World whose pool and test are all pairs."""

    name: str
    world: World


def encoded(votes: Votes) -> np.ndarray:
    """What the product's heads see, (n, f): surface features and the bundled encoder's embeddings."""
    texts = list(votes.responses.values())
    titles = [votes.titles[prompt] for prompt, _ in votes.responses]
    with tempfile.TemporaryDirectory() as cache:
        found = encoder.locate(encoder.DEFAULT_ENCODER, None, 4)
        vectors = encoder.embed(found, [*texts, *titles], Path(cache))
    raw = features.raw(texts, vectors[: len(texts)], vectors[len(texts) :])
    return features.standardisation(raw).apply(raw)


def lexical(votes: Votes) -> np.ndarray:
    """TF-IDF of words and word pairs in 150 latent directions (LSA) beside the surface features."""
    texts = list(votes.responses.values())
    weighed = TfidfVectorizer(sublinear_tf=True, min_df=2, ngram_range=(1, 2)).fit_transform(texts)
    width = min(150, min(weighed.shape) - 1)
    latent = TruncatedSVD(width, random_state=0).fit_transform(weighed)
    latent /= np.maximum(latent.std(axis=0), 1e-9) * np.sqrt(width)
    surface = np.array([features.surface(text) for text in texts])
    surface = (surface - surface.mean(axis=0)) / np.maximum(surface.std(axis=0), 1e-9)
    return np.hstack([np.clip(surface, -4, 4), latent])


def corpus(name: str, votes: Votes, responses: np.ndarray) -> Corpus:
    """The space is the principal directions of all pair differences: texts, never votes."""
    row = {key: i for i, key in enumerate(votes.responses)}
    first = np.array([row[a] for a, _ in votes.counts])
    second = np.array([row[b] for _, b in votes.counts])
    prompts = {prompt: i for i, prompt in enumerate(dict.fromkeys(prompt for prompt, _ in votes.responses))}
    prompt = np.array([prompts[key] for key, _ in votes.responses])
    rng = np.random.default_rng(0)
    z = fit_projection(responses, first, second, rng, DIMENSIONS).apply(responses)
    every = np.arange(len(first))
    counts = np.array(list(votes.counts.values()))
    return Corpus(name, World(z, prompt, first, second, counts, every, every))


def split(world: World, kind: str, seed: int) -> World | None:
    """Another part held out for every seed; None where the data has no such part that is large enough."""
    rng = np.random.default_rng([seed, 7])
    first, second = world.first, world.second
    if kind == "seen responses":
        test = rng.random(len(first)) < 0.2
        pool = ~test
        seen = np.zeros(len(world.z), dtype=np.bool_)
        seen[first[pool]] = seen[second[pool]] = True
        test &= seen[first] & seen[second]
    elif kind == "unseen responses":
        unseen = rng.random(len(world.z)) < 0.3
        pool, test = ~(unseen[first] | unseen[second]), unseen[first] & unseen[second]
        pooled = np.unique(world.prompt[first[pool]])
        test &= np.isin(world.prompt[first], pooled)
    else:
        names = np.unique(world.prompt)
        unseen = np.isin(world.prompt, rng.choice(names, max(1, round(len(names) * 0.27)), replace=False))
        pool, test = ~unseen[first], unseen[first]
    lead = world.counts[:, 0] != world.counts[:, 2]
    if (test & lead).sum() < LEAST_TEST or pool.sum() < LEAST_POOL:
        return None
    return replace(world, pool=np.flatnonzero(pool), test=np.flatnonzero(test))
