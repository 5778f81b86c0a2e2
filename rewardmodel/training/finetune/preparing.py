"""From a snapshot to token ids, the pairs that are trained on, and the checks before a long run."""

from __future__ import annotations

import gc
import hashlib
import json
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from rewardmodel.likelihood import pair
from rewardmodel.likelihood.objective import Objective, Term
from rewardmodel.training import data, files, plan, votes
from rewardmodel.training.failure import BackboneError, TooFewError
from rewardmodel.training.finetune import backbone, loop, members, preflight, texts
from rewardmodel.training.finetune.config import FinetuneConfig

WATCHED = 256  # pairs whose NLL is the validation curve


@dataclass(frozen=True)
class Prepared:
    """All that the members are trained from."""

    snapshot: data.Snapshot
    problem: loop.Problem
    tokenizer: Any
    template: str
    nursery: members.Nursery
    votes: dict[str, int]  # answers of the snapshot by kind (soft labels: pairs)
    rows: dict[str, Any]  # what is trained on and what was left out for its length
    fingerprint: str  # of configuration, data and backbone


def prepare(
    snapshot: data.Snapshot,
    learned: votes.Votes,
    config: FinetuneConfig,
    place: torch.device,
    report: Path | None,
) -> Prepared:
    """Tokenise, leave out what is too long, run the pre-flight checks and write them to `report`."""
    plan.check_enough(snapshot, config)
    snapshot = replace(snapshot, left_out=learned.left_out + snapshot.left_out)
    source = backbone.locate(config.backbone, config.revision)
    tokenizer = backbone.tokenizer(source, config.pad_token)
    template = texts.resolve(config.template, tokenizer)
    whole = texts.tokenise(tokenizer, template, snapshot.responses)
    terms, rows = _rows(snapshot, learned, whole, config)
    problem = _problem(snapshot, whole, terms, tokenizer, config)
    made = (source, config, tokenizer.pad_token_id, backbone.device(config.precision, place))
    drawn = loop.draw(problem, config, 0)
    identity = json.dumps([config.as_dict(), snapshot.sha256, source.revision])
    fingerprint = hashlib.sha256(identity.encode()).hexdigest()
    if report is not None:
        _check_begun(report, fingerprint)
    checked = preflight.check(members.Nursery(*made), tokenizer, problem, drawn, config)
    gc.collect()  # the weights that were tried on
    if report is not None:
        files.write_json(report, {"run": fingerprint, "template": template, "rows": rows, **checked})
    nursery = members.Nursery(*made)
    return Prepared(snapshot, problem, tokenizer, template, nursery, learned.counts, rows, fingerprint)


def _check_begun(report: Path, fingerprint: str) -> None:
    """Members on two backbones are no ensemble. Configuration and snapshot are those of the run already."""
    try:
        begun = json.loads(report.read_text(encoding="utf-8"))["run"]
    except (OSError, ValueError, KeyError):  # it begins now
        return
    if begun != fingerprint:
        raise BackboneError(
            "The run was started with another backbone: its files have changed since. Bring them back, or "
            "use a new run folder."
        )


def _rows(
    snapshot: data.Snapshot, learned: votes.Votes, whole: list[list[int]], config: FinetuneConfig
) -> tuple[Objective, dict[str, Any]]:
    """What is trained on, and in words what is not because it is too long.

    A row with a response over max_length tokens is not trained on. Held-out pairs are all kept: such a
    response is read from its end, as in scoring.
    """
    pairs, ids = snapshot.pairs, snapshot.responses.ids
    long = torch.tensor([len(sequence) > config.max_length for sequence in whole])
    training = torch.zeros(len(snapshot.responses.prompt_ids), dtype=torch.bool)
    training[pairs.prompt[pairs.split == "train"]] = True
    terms: list[Term] = []
    trained: Counter[str] = Counter()
    dropped: list[dict[str, Any]] = []
    for term in learned.terms:
        kind, mine = type(term).__name__.lower(), term.take(training[term.prompt])
        fits = ~long[mine.responses].any(0)
        dropped += [
            {"kind": kind, "responses": [ids[i] for i in row]} for row in mine.responses.T[~fits].tolist()
        ]
        trained[kind] += int(fits.sum())
        terms += [mine.take(fits)] if fits.any() else []
    held = {name: int((pairs.split == name).sum()) for name in data.SPLITS[1:]}
    for split, n in {"train": trained.total(), **held}.items():
        if not n:
            longer = f" of at most {config.max_length} tokens" if split == "train" and dropped else ""
            raise TooFewError(
                f"The {split} split has no pairs{longer}. Fine-tuning learns from train, calibrates on "
                "calibration and is tested on test: judge pairs of more prompts, or raise max_length."
            )
    return tuple(terms), {
        "max_length": config.max_length,
        "longest": max(map(len, whole)),
        "tokens": sum(map(len, whole)),
        "trained": dict(trained),
        "dropped": dropped,
        "too_long_responses": {ids[i]: len(whole[i]) for i in np.flatnonzero(long.numpy())},
        "policy": "a row with a response over max_length is not trained on; scoring reads the end of one",
    }


def _problem(
    snapshot: data.Snapshot, whole: list[list[int]], terms: Objective, tokenizer: Any, config: FinetuneConfig
) -> loop.Problem:
    pairs = snapshot.pairs
    sequences = [texts.cut(sequence, config.max_length, tokenizer.bos_token_id) for sequence in whole]
    rng = np.random.default_rng([config.seed, 5])
    watched = np.sort(rng.permutation(np.flatnonzero(pairs.split == "calibration"))[:WATCHED])
    prompts = len(snapshot.responses.prompt_ids)
    return loop.problem(
        sequences, tokenizer.pad_token_id, prompts, terms, votes.pairs(snapshot, watched), _tau(pairs)
    )


def _tau(pairs: data.Pairs) -> float:
    """The tie parameter that gives the share of ties in training when rewards are equal."""
    training = pairs.split == "train"
    ties = pairs.shares[training, pair.TIE] @ pairs.weight[training] + 0.5
    ties /= pairs.weight[training].sum() + 1.5
    return float(np.log(2 * ties / (1 - ties)))
