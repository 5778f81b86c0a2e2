"""A fine-tuned run as a hand-over: its members merged into one model, that scores as the run's own scoring.

What is handed over is one member, or the mean of all members' weights ("model soup"), whichever is closer to
the mean reward of the ensemble on the calibration prompts. Its head is divided by the ensemble's temperature,
so the scores are on the scale that is served. The chat template writes the whole text, with the end token on
which the reward is read: tokenised without special tokens it is, id by id, what the run was trained on.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from rewardmodel.training.data import Snapshot
from rewardmodel.training.finetune import bundle, texts
from rewardmodel.training.finetune.bundle import Finetuned
from rewardmodel.training.handover import distil, golden, lesson, template
from rewardmodel.training.handover.folder import HandOverError
from rewardmodel.training.handover.lesson import Lesson

Ids = list[list[int]]

SAMPLE = 200  # responses to choose and to measure by where no prompt is held out

_PLAIN = (
    "{{- START -}}"
    "{%- for message in messages -%}"
    "{%- if loop.last and message['role'] == 'assistant' -%}"
    "{{- '\\n\\n' + message['content'] -}}"
    "{%- else -%}"
    "{%- if not loop.first -%}{{- '\\n' -}}{%- endif -%}"
    "{{- message['content'] -}}"
    "{%- endif -%}"
    "{%- endfor -%}"
    "{{- END -}}"
)


def prepare(ensemble: Finetuned, snapshot: Snapshot, report: bundle.Report) -> tuple[Lesson, np.ndarray]:
    """The ensemble's rewards of the responses to held-out prompts, and those of its members, (n, K), without
    what is added for length, all divided by the temperature; NaN for the other responses."""
    split = lesson.splits(snapshot)
    rows = np.flatnonzero(split != "train")
    rows = rows if len(rows) else np.arange(min(SAMPLE, len(split)))
    members = np.full((len(split), ensemble.size), np.nan)
    scored = bundle.score(ensemble, snapshot.responses, rows, report=report)
    added = np.zeros(len(split))
    added[rows] = bundle.by_length(ensemble, snapshot.responses, rows) / ensemble.temperature
    members[rows] = scored.rewards.astype(np.float64) / ensemble.temperature - added[rows, None]
    return Lesson(snapshot, members.mean(axis=1) + added, members.std(axis=1), ensemble.tau, split), members


def merge(ensemble: Finetuned, known: Lesson, members: np.ndarray, tokenizer: Any) -> tuple[Any, int | None]:
    """The model to hand over, float32, and which member it is (None: the mean of all)."""
    rows = known.rows("calibration")
    rows = rows if len(rows) else np.flatnonzero(np.isfinite(known.target))
    prompt = known.snapshot.responses.prompt[rows]

    def error(rewards: np.ndarray) -> float:
        return float(lesson.centred(rewards - members[rows].mean(axis=1), prompt).var())

    best = int(np.argmin([error(one) for one in members[rows].T]))
    mean = _scaled(ensemble, None) if ensemble.size > 1 else None
    if mean is not None and error(scores(mean, tokenizer, ensemble, known.snapshot, rows)) <= error(
        members[rows, best]
    ):
        return mean, None
    return _scaled(ensemble, best), best


def _scaled(ensemble: Finetuned, member: int | None) -> Any:
    model = bundle.merged(ensemble, member)
    with torch.no_grad():
        model.score.weight.div_(ensemble.temperature)
    return model


def scores(
    model: Any, tokenizer: Any, ensemble: Finetuned, snapshot: Snapshot, rows: np.ndarray
) -> np.ndarray:
    """Rewards by the merged model of the responses at `rows`, (len(rows),)."""
    whole = texts.tokenise(tokenizer, ensemble.template, snapshot.responses, rows.tolist())
    ids = [texts.cut(one, ensemble.max_length, tokenizer.bos_token_id) for one in whole]
    return distil.logits(model, ids, tokenizer.pad_token_id)


def golden_rows(known: Lesson, tokenizer: Any, ensemble: Finetuned) -> np.ndarray:
    """Responses for golden scores, among those the ensemble has scored, none longer than it reads."""
    responses = known.snapshot.responses
    rows = np.flatnonzero(np.isfinite(known.target))
    tokens = texts.tokenise(tokenizer, ensemble.template, responses, rows.tolist())
    rows = rows[[len(ids) <= ensemble.max_length for ids in tokens]]
    if not len(rows):
        raise HandOverError(f"Every held-out response is longer than max_length {ensemble.max_length}.")
    lengths = np.array([len(responses.texts[row]) for row in rows])
    return np.asarray(rows[golden.choose(known.target[rows], lengths)])


def examples(known: Lesson, rows: np.ndarray) -> list[golden.Example]:
    responses = known.snapshot.responses
    return [
        golden.Example(
            [
                *json.loads(responses.turns[responses.prompt[row]]),
                {"role": "assistant", "content": responses.texts[row]},
            ],
            {"ensemble_mean": float(known.target[row]), "ensemble_std": float(known.spread[row])},
        )
        for row in rows
    ]


def set_template(tokenizer: Any, kind: str, samples: Sequence[golden.Example], expected: Ids) -> None:
    """Give the tokenizer the template whose text, tokenised as it stands, is what the run was trained on:
    `expected`, by `texts.tokenise`, for the samples.

    Raises HandOverError when no template can do that with this tokenizer.
    """
    if kind == "plain":
        tokenizer.chat_template = _plain(tokenizer)
    elif _read(tokenizer, samples) != expected:
        end = "{%- if not add_generation_prompt -%}{{- END -}}{%- endif -%}"
        tokenizer.chat_template += end.replace("END", repr(tokenizer.eos_token))
    if _read(tokenizer, samples) != expected:
        raise HandOverError(
            "The text of the chat template is not tokenised to what the run was trained on. Serve this run "
            "with the reward server, or train it again with another `template`."
        )


def _plain(tokenizer: Any) -> str:
    """The plain text between the special tokens that the tokenizer adds by itself, and EOS."""
    bare, whole = (tokenizer("a", add_special_tokens=special)["input_ids"] for special in (False, True))
    at = next((i for i in range(len(whole)) if whole[i : i + len(bare)] == bare), 0)
    start, end = tokenizer.decode(whole[:at]), tokenizer.decode(whole[at + len(bare) :])
    if tokenizer.eos_token_id not in whole[-2:]:
        end += tokenizer.eos_token
    return _PLAIN.replace("START", repr(start)).replace("END", repr(end))


def _read(tokenizer: Any, samples: Sequence[golden.Example]) -> Ids:
    rendered = [template.render(tokenizer, sample.messages) for sample in samples]
    found: Ids = tokenizer(rendered, add_special_tokens=False)["input_ids"]
    return found


def about(ensemble: Finetuned, member: int | None) -> dict[str, Any]:
    """What handover.json says of the model, its measurements apart."""
    return {
        "kind": "fine-tuned",
        "criterion": ensemble.criterion,
        "backbone": {"name": ensemble.backbone, "revision": ensemble.backbone_revision},
        "ensemble": {"heads": ensemble.size, "temperature": ensemble.temperature, "tau": ensemble.tau},
        "member": "mean of all members' weights" if member is None else member,
        "longest_tokens": ensemble.max_length,
        "left_out": {"length": ensemble.length / ensemble.temperature},  # per log(1 + characters)
    }
