"""The model card of a run (Mitchell et al. 2019), as Markdown with the front matter of Hugging Face.

Whatever is not known is left out; whatever the figures warn of is said (evaluation.card_limits).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rewardmodel.evaluation.card_limits import limits, number, plain

FILE = "MODEL_CARD.md"
HUB_ID = re.compile(r"[\w.-]+/[\w.-]+")


@dataclass(frozen=True)
class Registered:
    """What only the registry knows, in words; each line is a fact."""

    run: int
    facts: tuple[tuple[str, str], ...]  # (what, value)
    agreement: str  # among the annotators
    history: tuple[str, ...]  # when it scored, by whom, why


@dataclass(frozen=True)
class Card:
    """config, metrics: of the run; manifest: of its snapshot."""

    config: Mapping[str, Any]
    metrics: Mapping[str, Any]
    manifest: Mapping[str, Any]
    registered: Registered | None = None

    @property
    def project(self) -> str:
        return str(self.manifest.get("project", "a project"))


def render(card: Card) -> str:
    name = f"{card.project} run {card.registered.run}" if card.registered else card.project
    sections = [
        (f"# Reward model of {plain(name)}", _summary(card)),
        ("## Intended use", _use()),
        ("## Data", _data(card)),
        ("## Training", _training(card)),
        ("## Evaluation", _evaluation(card)),
        ("## Calibration", _calibration(card)),
        ("## Biases", _biases(card)),
        ("## Limits", _limits(card)),
        ("## How to load it", _loading()),
        ("## Where it comes from", _origin(card)),
    ]
    body = "\n\n".join("\n\n".join((head, *parts)) for head, found in sections if (parts := tuple(found)))
    return f"{_front_matter(card, name)}\n{body}\n"


def body_of(text: str) -> str:
    """Without the front matter, for a page."""
    return text.partition("\n---\n")[2].lstrip() if text.startswith("---\n") else text


def _front_matter(card: Card, name: str) -> str:
    """YAML whose values are JSON, which YAML takes as it is."""
    encoder = str(card.config.get("encoder") or card.config.get("backbone") or "")
    lines = ["---", "# license: to be chosen by the project", "library_name: laurel"]
    lines += ["pipeline_tag: text-classification", "tags:", "- reward-model", "- human-preferences"]
    if HUB_ID.fullmatch(encoder):
        lines += [f"base_model: {json.dumps(encoder)}"]
    accuracy = number(card.metrics, "accuracy", "value")
    if accuracy is not None:
        lines += ["metrics:", "- accuracy", "model-index:", f"- name: {_quoted(name)}", "  results:"]
        lines += ["  - task:", "      type: text-classification", "      name: pairwise preference"]
        lines += ["    dataset:", "      type: laurel-snapshot", f"      name: {_quoted(card.project)}"]
        lines += ["    metrics:", "    - type: accuracy", f"      value: {accuracy:.4f}"]
        lines += ["      name: pairwise accuracy on held-out pairs"]
    return "\n".join([*lines, "---"])


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _summary(card: Card) -> Iterator[str]:
    criterion = card.metrics.get("criterion") or card.config.get("criterion")
    about = f" on the criterion “{plain(criterion)}”" if criterion else ""
    yield (
        f"An ensemble of reward models{about}: it gives a response to a prompt a number, and of two "
        "responses the one with the higher number is expected to be preferred. Its members differ where they "
        "do not know."
    )
    accuracy = card.metrics.get("accuracy") or {}
    if accuracy.get("value") is not None:
        length = number(card.metrics, "baselines", "length", "value")
        beside = f" Length alone gives {length:.3f}." if length is not None else ""
        yield f"**Accuracy on held-out pairs: {_interval(accuracy)}.**{beside}"


def _use() -> Iterator[str]:
    yield (
        "To rank or filter responses to prompts like those below, to choose what people should compare next, "
        "and as a reward for policy optimisation together with a penalty for disagreement (mean − λ · "
        "standard deviation of the members). Not to judge people, nor facts: it predicts a preference, "
        "not the truth."
    )


def _data(card: Card) -> Iterator[str]:
    manifest = card.manifest
    counts = manifest.get("counts", {})
    rows = [(plain(key), f"{value:,}") for key, value in counts.items() if isinstance(value, int)]
    told = {
        "kind of question": manifest.get("kind"),
        "criteria": ", ".join(manifest.get("criteria", [])),
        "version of the guidelines": manifest.get("guideline_version"),
    }
    rows += [(what, plain(value)) for what, value in told.items() if value]
    if rows:
        yield _table(("what", "how much"), rows)
    agreement = card.registered.agreement if card.registered else ""
    ceiling = (card.metrics.get("ceiling") or {}).get("one_voter_against_the_others") or {}
    if agreement:
        yield agreement
    if ceiling.get("value") is not None:
        yield f"One voter agrees with the majority of the others on {_interval(ceiling)}."
    yield "The votes are those of the project's annotators. Which languages the texts are in is not recorded."
    left_out = card.metrics.get("left_out") or card.manifest.get("left_out") or []
    if left_out:
        yield "Left out, and why:"
        yield _table(("reason", "count"), [(plain(one["reason"]), f"{one['count']:,}") for one in left_out])


def _training(card: Card) -> Iterator[str]:
    trained = card.metrics.get("training") or {}
    rows = [(plain(key), _said(value)) for key, value in trained.items() if not isinstance(value, Mapping)]
    kept = card.metrics.get("ensemble_trained_on")
    if kept:
        yield f"Trained on {plain(kept)}."
    if rows:
        yield _table(("what", "value"), rows)
    if card.config:
        yield "Settings:"
        yield "```json\n" + json.dumps(dict(card.config), indent=1, ensure_ascii=False) + "\n```"


def _evaluation(card: Card) -> Iterator[str]:
    metrics = card.metrics
    how = metrics.get("evaluation")
    if how:
        method = (metrics.get("intervals") or {}).get("method")
        yield f"{plain(how).capitalize()}. Intervals are 95 %" + (f": {plain(method)}." if method else ".")
    baselines = metrics.get("baselines") or {}
    rows = [("this model", _interval(metrics.get("accuracy") or {}))]
    rows += [(_words(name), _interval(found)) for name, found in baselines.items()]
    lift = metrics.get("lift_over_length") or {}
    if lift.get("value") is not None:
        rows.append(("this model − length alone", _interval(lift)))
    yield _table(("accuracy", "value (95 % interval, pairs)"), rows)
    parts = metrics.get("criteria") or {}
    if parts:
        yield "By criterion:"
        yield _table(
            ("criterion", "accuracy", "length alone"),
            [
                (plain(name), *(_interval(found) for found in (part.get("accuracy") or {}, _length(part))))
                for name, part in parts.items()
            ],
        )
    for kind, found in (metrics.get("strata") or {}).items():
        strata = found.get("rows", []) if isinstance(found, Mapping) else []
        if strata:
            yield f"By {_words(kind)}:"
            yield _table(
                (_words(kind), "accuracy", "length alone"),
                [
                    (plain(row.get("name", "")), _interval(row), _interval(row.get("length") or {}))
                    for row in strata
                ],
            )


def _length(metrics: Mapping[str, Any]) -> Mapping[str, Any]:
    return (metrics.get("baselines") or {}).get("length") or {}


def _calibration(card: Card) -> Iterator[str]:
    intervals = card.metrics.get("intervals") or {}
    names = {"nll": "log-loss per vote", "brier": "Brier score", "ece": "expected calibration error"}
    rows = [(words, _interval(intervals.get(key) or {})) for key, words in names.items() if key in intervals]
    if rows:
        yield _table(("measure", "value (95 % interval, pairs)"), rows)
    temperature, tau = (number(card.metrics, "temperature", key) for key in ("value", "tau"))
    if temperature is not None and tau is not None:
        yield (
            f"P(A, B, tie) = softmax(Δ / 2T, −Δ / 2T, τ), Δ the difference of the mean rewards, "
            f"T = {temperature:.3f}, τ = {tau:.3f}."
        )


def _biases(card: Card) -> Iterator[str]:
    bias = card.metrics.get("length_bias") or {}
    names = {
        "pearson": "correlation of reward and log length (Pearson, within prompts)",
        "spearman": "the same by ranks (Spearman)",
        "longer_wins_model": "share of pairs in which the model prefers the longer response",
        "longer_wins_votes": "share in which the voters do",
    }
    rows = [(words, f"{bias[key]:.3f}") for key, words in names.items() if bias.get(key) is not None]
    if rows:
        yield _table(("length", "value"), rows)
    yield "Whatever the annotators prefer as a group, it prefers: it was not checked against other groups."


def _limits(card: Card) -> Iterator[str]:
    found = [
        *limits(card.metrics),
        "It knows prompts like those of this project; on others its rewards may mean nothing.",
    ]
    yield "\n".join(f"- {one}" for one in found)


def _loading() -> Iterator[str]:
    yield "With Laurel, a file with the columns of `responses.parquet` in, rewards of every member out:"
    yield "```sh\npython -m rewardmodel.training.scoring.score ensemble responses.parquet scores.npz\n```"
    yield "`ensemble` is the folder beside this card; its weights are safetensors, and no code is in it."


def _origin(card: Card) -> Iterator[str]:
    rows = [(plain(what), plain(value)) for what, value in card.registered.facts] if card.registered else []
    sha = card.metrics.get("snapshot_sha256")
    rows += [("snapshot", f"SHA-256 of its manifest {plain(sha)}")] if sha else []
    if rows:
        yield _table(("what", "value"), rows)
    if card.registered and card.registered.history:
        yield "\n".join(f"- {plain(one)}" for one in card.registered.history)


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _interval(found: Mapping[str, Any]) -> str:
    value, low, high, n = (found.get(key) for key in ("value", "low", "high", "n"))
    if value is None:
        return "–"
    ends = "" if low is None or high is None else f"{low:.3f} to {high:.3f}, "
    return f"{value:.3f} ({ends}{n:,} pairs)" if n is not None else f"{value:.3f}"


def _said(value: Any) -> str:
    return (
        f"{value:,.4g}"
        if isinstance(value, float)
        else f"{value:,}"
        if isinstance(value, int)
        else plain(value)
    )


def _words(name: str) -> str:
    known = {"length": "length alone", "majority": "always the same side"}
    return plain(known.get(name, name.replace("_", " ")))
