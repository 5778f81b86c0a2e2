"""Everything the report says beyond the plain metrics, of each criterion and of the overall they make."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import reduce
from pathlib import Path
from typing import Any

import numpy as np

from rewardmodel.evaluation import clustered, out_of_distribution
from rewardmodel.training import encoder, features
from rewardmodel.training.config import TrainingConfig
from rewardmodel.training.plan import Plan
from rewardmodel.training.report import closer_look, context, judging, learning
from rewardmodel.training.report.judging import Fitted, Judged

Check = Callable[[], None]
Known = out_of_distribution.LeftOut


@dataclass(frozen=True)
class Material:
    """What every criterion was trained on."""

    folder: Path  # of the snapshot
    inputs: np.ndarray  # (n, f) standardised features
    standardisation: features.Standardisation
    encoder: encoder.Encoder
    cache: Path


def examine(
    material: Material, main: Fitted, judged: Sequence[Judged], config: TrainingConfig, check: Check
) -> None:
    """Add the further metrics of each of `judged` to its own, as plain JSON values.

    main: what the first of them was fitted as, the only one with a learning curve. `check` is called often
    and may raise to stop.
    """
    known = _known(material, judged, config)
    probes = _probes(material, judged, known, config, check)
    growth = _growth(material, main, _draws(judged[0], config), config, check)
    elsewhere = f"for its cost it was drawn for {main.snapshot.criterion} only"
    for i, one in enumerate(judged):
        draws = _draws(one, config)
        seen = context.read(material.folder, one.snapshot)
        one.metrics.update(closer_look.closer(one.snapshot, one.assessed, seen, draws))
        distances = known[one.groups.cross_fitted]
        one.metrics["out_of_distribution"] = closer_look.far_out(one.assessed, distances, draws)
        one.metrics["probes"] = probes[i]
        one.metrics["learning_curve"] = {"rows": [], "left_out": elsewhere} if i else growth
        check()


def _draws(judged: Judged, config: TrainingConfig) -> np.ndarray:
    prompts = int(judged.assessed.held.prompt.max()) + 1
    return clustered.resamples(prompts, config.bootstrap, np.random.default_rng([config.seed, 2]))


def _known(material: Material, judged: Sequence[Judged], config: TrainingConfig) -> dict[bool, Known]:
    """Distances of responses from training responses of other prompts, with and without cross-fitting."""
    found: dict[bool, Known] = {}
    for one in judged:
        if one.groups.cross_fitted not in found:
            found[one.groups.cross_fitted] = _distances(material, one, config)
    return found


def _distances(material: Material, judged: Judged, config: TrainingConfig) -> Known:
    of = judged.snapshot.responses.prompt
    embedded, rng = _embedded(material.inputs), np.random.default_rng([config.seed, 6])
    if judged.groups.cross_fitted:
        fold = out_of_distribution.fold_of_groups(of, out_of_distribution.FOLDS, rng)
        return out_of_distribution.left_out(embedded, fold, rng)
    reference = kept_reference(of, judged.groups, material.inputs, config)
    nothing = np.zeros(len(of), dtype=np.int64)
    return Known(nothing, (reference,), reference.distance(embedded))


def kept_reference(
    of: np.ndarray, plan: Plan, inputs: np.ndarray, config: TrainingConfig
) -> out_of_distribution.Reference:
    """What the ensemble that is kept knows: the responses to the prompts it may see. of (n,): the prompt of
    each response."""
    mine = np.isin(of, plan.prompts[~plan.held_out[0]])
    return out_of_distribution.fit(_embedded(inputs[mine]), of[mine], np.random.default_rng([config.seed, 3]))


def _embedded(inputs: np.ndarray) -> np.ndarray:
    return inputs[:, features.embedding_columns(inputs.shape[1])]


def _probes(
    material: Material,
    judged: Sequence[Judged],
    known: dict[bool, Known],
    config: TrainingConfig,
    check: Check,
) -> list[dict[str, Any]]:
    """All on the same responses, held out by every one of `judged`, and altered and embedded once."""
    if not config.probe_responses:
        return [{"rows": [], "left_out": "the configuration asks for no probes"}] * len(judged)
    rows = reduce(np.intersect1d, [one.assessed.used for one in judged])
    if not len(rows):
        return [{"rows": [], "left_out": "no response was judged on every criterion"}] * len(judged)
    responses = judged[0].snapshot.responses
    rng = np.random.default_rng(7)  # not of the seed: other runs on the snapshot find the texts embedded
    altered = closer_look.alter(responses, rows, config.probe_responses, rng)
    prompts = [responses.prompt_texts[i] for i in responses.prompt[altered.rows]] * len(altered.texts)
    texts = [text for one in altered.texts.values() for text in one]
    vectors = encoder.embed(
        material.encoder, [*texts, *prompts], material.cache, report=lambda done, total: check()
    )
    inputs = material.standardisation.apply(features.raw(texts, vectors[: len(texts)], vectors[len(texts) :]))
    draws = clustered.resamples(int(altered.prompt.max()) + 1, config.bootstrap, rng)
    found = []
    for one in judged:
        seen = closer_look.Seen(_rewards(one, altered, inputs), _embedded(inputs))
        found.append(closer_look.probe(one.assessed, known[one.groups.cross_fitted], altered, seen, draws))
    return found


def _rewards(judged: Judged, altered: closer_look.Altered, inputs: np.ndarray) -> np.ndarray:
    """Of the altered texts under the heads that did not see the prompt."""
    rows = np.tile(altered.rows, len(altered.texts))
    by_group = judging.rewards(judged.parameters, judged.groups, inputs).mean(axis=2)
    own = by_group[np.arange(len(rows)), judged.assessed.group[rows]]
    return np.asarray(own + judged.assessed.length[rows] * inputs[:, features.LENGTH])


def _growth(
    material: Material, main: Fitted, draws: np.ndarray, config: TrainingConfig, check: Check
) -> dict[str, Any]:
    if not config.curve_heads:
        return {"rows": [], "left_out": "the configuration asks for no learning curve"}
    trained = learning.sizes(main.snapshot, main.votes, main.groups, material.inputs, config, check)
    return closer_look.growth(trained, draws, "votes" if main.groups.cross_fitted else "prompts")
