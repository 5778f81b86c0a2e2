"""Fit the student to the teacher: first its linear part in closed form, then everything a little further.

On a batch of groups, each some responses to one prompt, with s the student's and t the teacher's rewards,
a bar the mean over a group and v the variance of t - t̄ over all training responses:

    loss = [ mean ((s - s̄) - (t - t̄))² + LEVEL · mean (s̄ - t̄)² ] / v + VOTES · NLL of the votes per vote.

The votes' likelihood is that of the teacher's training (Davidson). Work is counted in tokens, not seconds, so
that the same seed gives the same student; the tokens are few enough for minutes on two cores. Started again
after a kill it begins anew.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from rewardmodel.likelihood import pair
from rewardmodel.training.handover.lesson import Lesson, centred
from rewardmodel.training.handover.student import Student, padded, token_ids

LEVEL, VOTES = 0.1, 0.5
GROUP, BATCH = 12, 24  # responses to one prompt in a group; responses in a batch
RIDGES = tuple(10.0**power for power in range(-3, 5))
PASS = 64  # responses in one forward pass without gradients
PART = 8  # responses in one with gradients: a batch of mixed lengths at once is two fifths to a half padding

Report = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Effort:
    """How much work the student is worth."""

    seed: int = 0
    tokens: int = 200_000  # seen with gradients, over all passes: some minutes on two cores
    passes: int = 4  # at most so many times over the training responses
    longest: int = 384  # tokens of one text while learning; scoring takes any length
    rate: float = 5e-5  # of the encoder
    head_rate: float = 1e-3


@dataclass(frozen=True)
class Taught:
    """The student, and how far it was from the teacher on the calibration prompts, in units of v."""

    student: Student
    loss_linear: float
    loss: float
    steps: int
    tokens: int


def distil(student: Student, tokenizer: Any, lesson: Lesson, effort: Effort, report: Report) -> Taught:
    """Teach the student; it keeps whichever is closer to the teacher on prompts it did not learn from:
    the closed-form start or the end."""
    texts = lesson.snapshot.responses
    prompts = [texts.prompt_texts[i] for i in texts.prompt]
    rows = token_ids(tokenizer, prompts, texts.texts, effort.longest)
    learning, checking = _parts(lesson)
    rng = np.random.default_rng([effort.seed, 4])
    torch.manual_seed(effort.seed)
    pad = int(tokenizer.pad_token_id)
    _start(student, rows, lesson, _within(learning, rows, effort.tokens, rng), pad, report)
    before = _distance(student, rows, lesson, checking, pad)
    linear = copy.deepcopy(student.state_dict())
    steps, tokens = _fine_tune(student, rows, lesson, learning, effort, rng, pad, report)
    after = _distance(student, rows, lesson, checking, pad)
    if after > before:
        student.load_state_dict(linear)
    return Taught(student.eval(), before, min(before, after), steps, tokens)


def _parts(lesson: Lesson) -> tuple[np.ndarray, np.ndarray]:
    """Responses to learn from and, of other prompts, to stop by. Where all is one split: the same ones."""
    learning, checking = lesson.rows("train"), lesson.rows("calibration")
    if not len(learning):
        learning = np.flatnonzero(lesson.split != "test")
    return learning, checking if len(checking) else learning


def _within(rows: np.ndarray, ids: Sequence[list[int]], tokens: int, rng: np.random.Generator) -> np.ndarray:
    """A random part of the rows with at most so many tokens, one row at least."""
    shuffled = rng.permutation(rows)
    total = np.cumsum([len(ids[i]) for i in shuffled])
    return np.asarray(shuffled[: max(1, int((total <= tokens).sum()))])


def _start(
    student: Student,
    ids: Sequence[list[int]],
    lesson: Lesson,
    rows: np.ndarray,
    pad: int,
    report: Report,
) -> None:
    """Ridge regression of the teacher's rewards on z: slope from within prompts, bias from the means."""
    student.aim(*padded([ids[i] for i in rows[:PASS]], pad))
    z = _pooled(student, ids, rows, pad, lambda done: report("reading", done, len(rows)))
    target, prompt = lesson.target[rows], lesson.snapshot.responses.prompt[rows]
    inside, t = centred(z, prompt), centred(target, prompt)
    slope = _ridge(inside, t, prompt)
    with torch.no_grad():
        student.slope.copy_(torch.from_numpy(slope))
        student.bias.fill_(float((target - z @ slope).mean()))


def _ridge(x: np.ndarray, y: np.ndarray, prompt: np.ndarray) -> np.ndarray:
    """Slope of y on x (n, d) with the penalty, in shares of the mean variance of a column, that errs least
    when fitted on every other prompt and tried on the rest."""
    half = np.unique(prompt, return_inverse=True)[1] % 2 == 0

    def fit(rows: np.ndarray, share: float) -> np.ndarray:
        gram = x[rows].T @ x[rows]
        gram += np.eye(len(gram)) * (share * np.trace(gram) / len(gram) + 1e-9)
        return np.asarray(np.linalg.solve(gram, x[rows].T @ y[rows]))

    def error(share: float) -> float:
        return float(np.square(y[~half] - x[~half] @ fit(half, share)).sum())

    return fit(np.full(len(y), True), min(RIDGES, key=error))


def _fine_tune(
    student: Student,
    ids: Sequence[list[int]],
    lesson: Lesson,
    rows: np.ndarray,
    effort: Effort,
    rng: np.random.Generator,
    pad: int,
    report: Report,
) -> tuple[int, int]:
    """AdamW over batches of whole groups, warm-up of a tenth, then linear decay. Steps and tokens."""
    batches = _plan(ids, lesson, rows, effort, rng)
    encoder, head = (
        list(student.encoder.parameters()),
        [p for n, p in student.named_parameters() if "." not in n],
    )
    rates = [effort.rate, effort.head_rate]
    optimiser = torch.optim.AdamW(
        [{"params": encoder, "lr": rates[0]}, {"params": head, "lr": rates[1]}], weight_decay=0.0
    )
    votes, variance = _Votes(lesson), max(_variance(lesson, rows), 1e-9)
    student.eval()  # no dropout: the target is a number, not a sample
    for step, batch in enumerate(batches):
        factor = min((step + 1) / max(1, len(batches) / 10), 1 - step / len(batches))
        for group, rate in zip(optimiser.param_groups, rates, strict=True):
            group["lr"] = rate * factor
        loss = _loss(_scores(student, ids, batch, pad), batch, lesson, votes, variance)
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(student.parameters(), 1.0)
        optimiser.step()
        report("learning", step + 1, len(batches))
    return len(batches), sum(len(ids[i]) for batch in batches for i in batch)


def _scores(student: Student, ids: Sequence[list[int]], batch: np.ndarray, pad: int) -> Tensor:
    """The student's rewards of a batch with their gradient, (len(batch),); those of similar length share a
    pass."""
    order = sorted(range(len(batch)), key=lambda i: (len(ids[int(batch[i])]), i))
    parts = [order[start : start + PART] for start in range(0, len(order), PART)]
    found = torch.cat([student(*padded([ids[int(batch[i])] for i in part], pad)) for part in parts])
    return found[torch.tensor(order).argsort()]


def _plan(
    ids: Sequence[list[int]], lesson: Lesson, rows: np.ndarray, effort: Effort, rng: np.random.Generator
) -> list[np.ndarray]:
    """Batches of whole groups, pass after pass, until the tokens are spent."""
    batches: list[np.ndarray] = []
    spent = 0
    for _ in range(effort.passes):
        for batch in _one_pass(lesson, rows, rng):
            spent += sum(len(ids[i]) for i in batch)
            if spent > effort.tokens and batches:
                return batches
            batches.append(batch)
    return batches


def _one_pass(lesson: Lesson, rows: np.ndarray, rng: np.random.Generator) -> Iterator[np.ndarray]:
    prompt = lesson.snapshot.responses.prompt[rows]
    groups: list[np.ndarray] = []
    for which in rng.permutation(np.unique(prompt)):
        mine = rng.permutation(rows[prompt == which])
        groups += [mine[i : i + GROUP] for i in range(0, len(mine), GROUP)]
    order, batch = rng.permutation(len(groups)), np.empty(0, dtype=np.int64)
    for i in order:
        batch = np.concatenate([batch, groups[i]])
        if len(batch) >= BATCH:
            yield batch
            batch = np.empty(0, dtype=np.int64)
    if len(batch):
        yield batch


class _Votes:
    """The judged pairs among the responses of a batch."""

    def __init__(self, lesson: Lesson) -> None:
        pairs = lesson.snapshot.pairs
        self.pairs = pairs
        self.tau = torch.tensor(lesson.tau, dtype=torch.float32)
        learned = np.flatnonzero(pairs.split == "train")
        self.of: dict[int, list[int]] = {}
        for i in learned:
            self.of.setdefault(int(pairs.left[i]), []).append(int(i))

    def loss(self, scores: Tensor, batch: np.ndarray) -> Tensor:
        """NLL per vote, in nats; 0 where no two responses of the batch were compared."""
        place = {int(row): at for at, row in enumerate(batch)}
        found = [i for row in place for i in self.of.get(row, ()) if int(self.pairs.right[i]) in place]
        if not found:
            return scores.sum() * 0
        left, right = ([place[int(side[i])] for i in found] for side in (self.pairs.left, self.pairs.right))
        weight = torch.tensor(self.pairs.weight[found], dtype=torch.float32)
        shares = torch.tensor(self.pairs.shares[found], dtype=torch.float32)
        losses = pair.loss(scores[left] - scores[right], self.tau, shares, weight)
        return losses.sum() / weight.sum()


def _loss(scores: Tensor, batch: np.ndarray, lesson: Lesson, votes: _Votes, variance: float) -> Tensor:
    """The objective in the head of this file on one batch."""
    target = torch.tensor(lesson.target[batch], dtype=torch.float32)
    _, group = np.unique(lesson.snapshot.responses.prompt[batch], return_inverse=True)
    index = torch.from_numpy(group)
    count = torch.bincount(index).float()
    gap = scores - target
    level = torch.zeros_like(count).index_add(0, index, gap) / count
    inside = (gap - level[index]).square().mean()
    return (inside + LEVEL * level.square().mean()) / variance + VOTES * votes.loss(scores, batch)


def logits(model: Any, ids: Sequence[list[int]], pad: int) -> np.ndarray:
    """Rewards by a sequence classification model of rows of ids, (len(ids),)."""
    found = np.zeros(len(ids))
    order = sorted(range(len(ids)), key=lambda i: (len(ids[i]), i))
    for start in range(0, len(order), PASS // 4):
        part = order[start : start + PASS // 4]
        input_ids, mask = padded([ids[i] for i in part], pad)
        with torch.inference_mode():
            found[part] = model(input_ids=input_ids, attention_mask=mask).logits[:, 0].double().numpy()
    return found


def rewards(student: Student, ids: Sequence[list[int]], rows: np.ndarray, pad: int) -> np.ndarray:
    """The student's rewards of some rows, (len(rows),)."""
    z = _pooled(student, ids, rows, pad, lambda done: None)
    with torch.inference_mode():
        return student.reward(torch.from_numpy(z).float()).double().numpy()


def _pooled(
    student: Student, ids: Sequence[list[int]], rows: np.ndarray, pad: int, tell: Callable[[int], None]
) -> np.ndarray:
    """z of some rows, (len(rows), d) float64; texts of similar length share a pass."""
    found = np.zeros((len(rows), student.width))
    order = sorted(range(len(rows)), key=lambda i: (len(ids[int(rows[i])]), i))
    for start in range(0, len(order), PASS):
        part = order[start : start + PASS]
        with torch.inference_mode():
            found[part] = student.pooled(*padded([ids[int(rows[i])] for i in part], pad)).double().numpy()
        tell(start + len(part))
    return found


def _distance(
    student: Student, ids: Sequence[list[int]], lesson: Lesson, rows: np.ndarray, pad: int
) -> float:
    """Mean squared error of rewards centred within prompts, in units of the teacher's variance there."""
    prompt = lesson.snapshot.responses.prompt[rows]
    gap = rewards(student, ids, rows, pad) - lesson.target[rows]
    return float(centred(gap, prompt).var() / max(_variance(lesson, rows), 1e-9))


def _variance(lesson: Lesson, rows: np.ndarray) -> float:
    return float(centred(lesson.target[rows], lesson.snapshot.responses.prompt[rows]).var())
