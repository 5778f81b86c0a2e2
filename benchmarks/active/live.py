"""The whole loop, live: the default recipe against random selection, simulated annotators of stated noise.

python -m benchmarks.active.live [--seeds 1] [--turns 8] [--every 150] [--data FOLDER]

What runs is the product: import, claim and submit, the tasks that a worker runs, training in a child process,
the gate, the estimate on the audit set, selection. In a database of its own there is a project for each
recipe and seed, and one for the debates that are held out. People answer by strengths which the real votes of
UKPConvArg1 give the arguments (strengths.py); Laurel never sees these. Afterwards
`LAUREL_DATA_DIR=FOLDER ./laurel up --no-sample` shows both projects with their learning curves.
"""

from __future__ import annotations

import argparse
import io
import itertools
import json
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.active import data, strengths
from benchmarks.annotate import stage
from benchmarks.tables import write

HERE = Path(__file__).resolve().parent
FILE = HERE.parents[2] / "shared" / "data" / "ukpconvarg1" / "pairs.jsonl.gz"
RECIPES = ("regret", "random")
HELD_OUT = 4  # debates
SIZE = 10  # arguments of a prompt, at least: debates alone would be too few prompts to split
ANNOTATORS = 12


@dataclass(frozen=True)
class Group:
    """Some arguments of one debate: a prompt and its responses, texts by their ids."""

    debate: str
    prompt: str
    texts: dict[str, str]


@dataclass
class Arm:
    """One project and what was measured of it, turn by turn. rewards: of every response, by its own id."""

    project: Any
    recipe: str
    seed: int
    rows: list[dict[str, Any]] = field(default_factory=list)
    rewards: list[dict[str, float]] = field(default_factory=list)


def main(arguments: list[str] | None = None) -> None:
    given = _given(arguments)
    votes = data.read(given.file)
    truth = {response: strength for (_, response), strength in strengths.fit(votes).items()}
    folder = given.data or Path(tempfile.mkdtemp(prefix="laurel-live-"))
    stage.open_laurel(folder.resolve())
    print(f"database in {folder}", flush=True)
    rows: list[dict[str, Any]] = []
    for seed in range(given.first_seed, given.first_seed + given.seeds):
        rows += measure(groups(votes, seed), truth, seed, given)
        write(given.out, rows)
    report(rows)


def _given(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--file", type=Path, default=FILE, help="votes on pairs, as benchmarks.active.run")
    parser.add_argument("--data", type=Path, help="data folder (default: a new one under the temporary ones)")
    parser.add_argument("--out", type=Path, default=HERE / "live.csv")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--first-seed", type=int, default=1)
    parser.add_argument("--turns", type=int, default=8)
    parser.add_argument("--every", type=int, default=150, help="answers of a turn")
    parser.add_argument("--batch", type=int, default=120, help="pairs of a batch")
    parser.add_argument("--sensitivity", type=float, default=1.0, help="1: an answer is like a real voter's")
    parser.add_argument("--slips", type=float, default=0.05, help="share of blind answers")
    return parser.parse_args(arguments)


def groups(votes: data.Votes, seed: int) -> list[Group]:
    """Each debate's arguments dealt into prompts of nearly equal size, the same text once."""
    rng = np.random.default_rng(seed)
    by_debate: dict[str, dict[str, str]] = {}
    for (debate, response), text in votes.responses.items():
        held = by_debate.setdefault(debate, {})
        if text not in held.values():
            held[response] = text
    made = []
    for debate, texts in by_debate.items():
        order = [list(texts)[i] for i in rng.permutation(len(texts))]
        many = max(1, len(order) // SIZE)
        for part in range(many):
            title = f"{votes.titles[debate]}\nArguments {part + 1} of {many}"
            made.append(Group(debate, title, {one: texts[one] for one in order[part::many]}))
    return made


def measure(
    dealt: Sequence[Group], truth: dict[str, float], seed: int, given: argparse.Namespace
) -> list[dict[str, Any]]:
    """Both recipes from the same beginning; their rows."""
    from annotation.aggregation.simulated import Noise

    rng = np.random.default_rng([seed, 1])
    debates = sorted({group.debate for group in dealt})
    out = {debates[i] for i in rng.choice(len(debates), HELD_OUT, replace=False)}
    learned = [group for group in dealt if group.debate not in out]
    hidden = [group for group in dealt if group.debate in out]
    noise = Noise(given.sensitivity, given.slips)
    right = noise.share_right(_differences(_pairs(learned), truth))
    print(
        f"seed {seed}: {len(learned)} prompts with {len(_pairs(learned)):,} pairs, {len(_pairs(hidden)):,} "
        f"pairs of {HELD_OUT} debates held out; of the answers {right:.1%} name the stronger one",
        flush=True,
    )
    started(f"held-out-{seed}", "Held out, never shown", hidden)
    arms = []
    for recipe in RECIPES:
        arm = Arm(started(f"{recipe}-{seed}", f"UKPConvArg1, {recipe}, seed {seed}", learned), recipe, seed)
        arms.append(arm)
        run(arm, noise, truth, _pairs(hidden), given)
    unseen = _never_judged([arm.project for arm in arms], learned)
    for arm in arms:
        for row, rewards in zip(arm.rows, arm.rewards, strict=True):
            row |= {"unseen": _accuracy(unseen, rewards, truth), "unseen_pairs": len(unseen)}
    return [{"right_answers": round(right, 4)} | row for arm in arms for row in arm.rows]


def started(slug: str, name: str, asked: Sequence[Group]) -> Any:
    """A project with these prompts and responses, and nothing to judge but what the loop will choose."""
    from accounts.models import User
    from annotation.services import importing, projects

    settings = {"ties": False, "both_bad": False, "gold_rate": 0.0, "spot_check_rate": 0.0}
    manager = User.objects.filter(username="admin").first()
    project = projects.create(slug=slug, name=name, overlap=1, manager=manager, settings=settings)
    lines = [
        {
            "prompt": group.prompt,
            "responses": [{"id": one, "text": text} for one, text in group.texts.items()],
            "metadata": {"category": group.debate},
        }
        for group in asked
    ]
    stream = io.BytesIO("\n".join(map(json.dumps, lines)).encode())
    report = importing.import_stream(project=project, stream=stream, actor=manager)
    if not report.applied or report.candidates_only < len(lines):  # a short prompt's pairs would be queued
        raise RuntimeError(f"{slug}: {report}")
    return project


def run(arm: Arm, noise: Any, truth: dict[str, float], hidden: Sequence[tuple[str, str]], given: Any) -> None:
    """People answer; after every so many answers the loop turns, and its model is measured."""
    from activelearning import tasks
    from activelearning.services import policies
    from annotation.services import simulating

    policies.set_policy(
        project=arm.project, recipe=arm.recipe, retrain_every=given.every, batch_size=given.batch
    )

    def after(done: int) -> None:
        if done % given.every == 0:
            begun = time.monotonic()
            turn = turned(arm.project)
            arm.rewards.append(_rewards(arm.project))
            row = {"seed": arm.seed, "recipe": arm.recipe, "turn": done // given.every} | _counted(
                arm.project
            )
            row |= {"held_out": _accuracy(hidden, arm.rewards[-1], truth), "held_out_pairs": len(hidden)}
            row |= _said(turn)
            arm.rows.append(row | {"seconds": round(time.monotonic() - begun, 1)})
            print("  " + stage.in_words(arm.rows[-1]), flush=True)

    simulating.simulate(
        project=arm.project,
        annotators=ANNOTATORS,
        judgments=given.turns * given.every,
        seed=arm.seed,
        refill=tasks.refill_queues,
        progress=after,
        noise=noise,
        truth=truth,
    )


def turned(project: Any) -> Any:
    """The turn that is due, taken to its end by the tasks that the workers run."""
    from activelearning import tasks
    from rewardmodel import tasks as training

    for _ in range(20):
        tasks.turn_loops()
        turn = project.loop_turns.select_related("run").first()
        if turn is not None and turn.run is not None and turn.run.state == "queued":
            training.train(turn.run_id)
        elif turn is not None and turn.state in ("done", "failed"):
            if turn.state == "failed":
                raise RuntimeError(turn.note)
            return turn
    raise RuntimeError("the turn did not come to its end")


def _counted(project: Any) -> dict[str, int]:
    """votes: all; audit_votes: on prompts that only measure; labels: pairs voted on that can be learned."""
    from annotation.models.work import Item, Judgment

    given = Judgment.objects.filter(item__project=project, live=True)
    audit = given.filter(item__prompt__audit=True).count()
    pairs = Item.objects.filter(project=project, prompt__audit=False, judgments__live=True).distinct().count()
    return {
        "votes": given.count(),
        "audit_votes": audit,
        "votes_to_learn": given.count() - audit,
        "labels": pairs,
    }


def _said(turn: Any) -> dict[str, Any]:
    """What the page Learning curve shows of the turn."""
    from activelearning.services import steering

    estimate, metrics = turn.estimate or {}, turn.run.metrics or {}
    found = {f"page_{part}": estimate.get(part) for part in ("gain", "low", "high", "missing")}
    return {
        "page_audit": (estimate.get("audit") or {}).get("accuracy"),
        "page_held_out": (metrics.get("accuracy") or {}).get("value"),
        **found,
        "fallen_back": steering.fallen_back(turn.project),
        "promoted": turn.run.verdict.startswith("Promoted"),
    }


def _rewards(project: Any) -> dict[str, float]:
    """Of the responses of this project and of the held-out one, by the ensemble in use."""
    from annotation.models.content import Response
    from rewardmodel.models import Ensemble
    from rewardmodel.services import scoring

    active = Ensemble.objects.select_related("run").get(project=project, active=True)
    projects = [project.slug, f"held-out-{project.slug.rpartition('-')[2]}"]
    ids = dict(Response.objects.filter(prompt__project__slug__in=projects).values_list("pk", "external_id"))
    scored = scoring.score(ensemble=active, response_ids=list(ids))
    means = scored.rewards.mean(axis=1)
    return {ids[pk]: float(mean) for pk, mean in zip(scored.response_ids, means, strict=True)}


Pair = tuple[str, str]


def _pairs(asked: Sequence[Group]) -> list[Pair]:
    return [pair for group in asked for pair in itertools.combinations(sorted(group.texts), 2)]


def _differences(pairs: Sequence[Pair], of: dict[str, float]) -> np.ndarray:
    return np.array([of[a] - of[b] for a, b in pairs])


def _accuracy(pairs: Sequence[Pair], rewards: dict[str, float], truth: dict[str, float]) -> float:
    said, so = _differences(pairs, rewards), _differences(pairs, truth)
    return round(float(np.mean(np.where(said == 0, 0.5, (said > 0) == (so > 0)))), 4)


def _never_judged(projects: Sequence[Any], learned: Sequence[Group]) -> list[Pair]:
    """Pairs of prompts that every project learned from, which nobody has judged in any."""
    from annotation.models.content import Prompt
    from annotation.models.work import Item, ItemResponse

    texts = {group.prompt for group in learned}
    judged: set[Pair] = set()
    for project in projects:
        trains = Prompt.objects.filter(project=project, audit=False)
        texts &= {turns[-1]["content"] for turns in trains.values_list("messages", flat=True)}
        done = Item.objects.filter(project=project, judgments__live=True)
        by_item: dict[int, list[str]] = {}
        for item, one in ItemResponse.objects.filter(item__in=done).values_list(
            "item_id", "response__external_id"
        ):
            by_item.setdefault(item, []).append(one)
        judged |= {(min(pair), max(pair)) for pair in by_item.values()}
    open_pairs = _pairs([group for group in learned if group.prompt in texts])
    return [pair for pair in open_pairs if pair not in judged]


def report(rows: Sequence[dict[str, Any]]) -> None:
    """Mean curves over the seeds, and the votes with which each has the best that random has."""
    for measure_name in ("held_out", "unseen"):
        curves = {recipe: curve(rows, recipe, measure_name) for recipe in RECIPES}
        print(
            f"\n{measure_name}: " + "  ".join(f"{name} {np.round(y, 3)}" for name, (_, y) in curves.items())
        )
        votes, accuracy = curves["random"]
        level = accuracy.max()
        needed, of_random = first_reach(*curves["regret"], level), first_reach(votes, accuracy, level)
        said = f"{needed:.0f}" if needed is not None else f"more than {curves['regret'][0][-1]:.0f}"
        print(
            f"  the best of random, {level:.3f}: random has it with {of_random:.0f} votes, regret with {said}"
        )


def curve(rows: Sequence[dict[str, Any]], recipe: str, name: str) -> tuple[np.ndarray, np.ndarray]:
    """(votes to learn from, accuracy) by turn, means over the seeds, made monotone."""
    turns = sorted({row["turn"] for row in rows})
    of = [[row for row in rows if row["recipe"] == recipe and row["turn"] == turn] for turn in turns]
    votes = np.array([np.mean([row["votes_to_learn"] for row in each]) for each in of])
    return votes, np.maximum.accumulate([np.mean([row[name] for row in each]) for each in of])


def first_reach(votes: np.ndarray, accuracy: np.ndarray, level: float) -> float | None:
    """Votes at which a monotone curve first has the level, between its points on a line; None if never."""
    at = int(np.searchsorted(accuracy, level))
    if at == len(votes):
        return None
    if at == 0:
        return float(votes[0])
    part = (level - accuracy[at - 1]) / (accuracy[at] - accuracy[at - 1])
    return float(votes[at - 1] + part * (votes[at] - votes[at - 1]))


if __name__ == "__main__":
    main()
