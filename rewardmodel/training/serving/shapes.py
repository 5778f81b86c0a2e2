"""The three shapes in which rewards are asked for, and their answers.

native         {"items": [{"prompt", "response"}]} -> {"ensemble", "lambda", "results": [{…}]}
OpenRLHF       {"query": […], "prompts": […], "labels": […]} -> {"rewards", "scores", "extra_logs"}
LLaMA-Factory  {"model", "messages": ["…"]} -> {"scores"}

Read from openrlhf 0.11.2 (utils/agent.py, trainer/ppo_utils/samples_generator.py) and llamafactory 0.9.5
(train/ppo/ppo_utils.py). OpenRLHF makes a tensor of every entry of extra_logs: only numbers stand there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rewardmodel.training.scoring.conversation import Exchange, MalformedError, read_exchange
from rewardmodel.training.scoring.scorer import Scored
from rewardmodel.training.serving import chat_text

MOST = 4_096  # responses in one request


@dataclass(frozen=True)
class Question:
    """What is to be scored, and how the answer is written, given λ."""

    exchanges: tuple[Exchange, ...]
    answer: Callable[[Scored, float], dict[str, Any]]
    penalty: float | None = None  # λ, where the request says it


def read(body: Any) -> Question:
    """The question of a request's JSON. Raises MalformedError naming the field."""
    if not isinstance(body, Mapping):
        raise MalformedError("body", "must be a JSON object.")
    for name, reader in (("items", _native), ("query", _openrlhf), ("messages", _llamafactory)):
        if name in body:
            _list(body, name)
            return reader(body)
    raise MalformedError(
        "body", "give items (Laurel), query and prompts (OpenRLHF) or messages (LLaMA-Factory)."
    )


def _native(body: Mapping[str, Any]) -> Question:
    for name in body:
        if name not in ("items", "lambda"):
            raise MalformedError(name, "is not known; give items and perhaps lambda.")
    penalty = body.get("lambda")
    if penalty is not None and (isinstance(penalty, bool) or not isinstance(penalty, (int, float))):
        raise MalformedError("lambda", "must be a number.")
    if penalty is not None and not 0 <= penalty <= 1_000:
        raise MalformedError("lambda", "must be between 0 and 1000.")
    exchanges = tuple(read_exchange(item, f"items[{i}]") for i, item in enumerate(body["items"]))
    return Question(exchanges, native_answer, penalty)


def native_answer(scored: Scored, penalty: float) -> dict[str, Any]:
    """Everything there is to say, one object a response."""
    results = [
        {
            "mean": float(mean),
            "std": float(std),
            "conservative": float(low),
            "criteria": {name: float(values[i]) for name, values in scored.criteria.items()},
            "distance": None if scored.distance is None else float(scored.distance[i]),
            "out_of_distribution": None if scored.flagged is None else bool(scored.flagged[i]),
        }
        for i, (mean, std, low) in enumerate(
            zip(scored.mean, scored.std, scored.conservative(penalty), strict=True)
        )
    ]
    return {"ensemble": scored.ensemble.as_dict(), "lambda": penalty, "results": results}


def _openrlhf(body: Mapping[str, Any]) -> Question:
    queries, prompts = _texts(body, "query"), _texts(body, "prompts") if body.get("prompts") else []
    if prompts and len(prompts) != len(queries):
        raise MalformedError("prompts", f"has {len(prompts)} entries, query has {len(queries)}.")
    exchanges = []
    for i, query in enumerate(queries):
        if prompts and (response := chat_text.after_prompt(query, prompts[i])) is not None:
            exchanges.append(Exchange(chat_text.turns(prompts[i]), response))
        else:
            exchanges.append(_parted(query, f"query[{i}]", "does not begin with its prompt, and "))
    return Question(tuple(exchanges), _openrlhf_answer)


def _openrlhf_answer(scored: Scored, penalty: float) -> dict[str, Any]:
    """`rewards` for the advantages, `scores` for dynamic filtering, the rest for the log."""
    rewards = scored.conservative(penalty).tolist()
    logs = {"reward_mean": scored.mean.tolist(), "reward_std": scored.std.tolist()}
    if scored.distance is not None and scored.flagged is not None:
        logs["ood_distance"] = scored.distance.tolist()
        logs["ood"] = scored.flagged.astype(float).tolist()
    return {"rewards": rewards, "scores": rewards, "extra_logs": logs, "ensemble": scored.ensemble.as_dict()}


def _llamafactory(body: Mapping[str, Any]) -> Question:
    messages = _texts(body, "messages")
    exchanges = tuple(_parted(text, f"messages[{i}]", "") for i, text in enumerate(messages))
    return Question(exchanges, _llamafactory_answer)


def _llamafactory_answer(scored: Scored, penalty: float) -> dict[str, Any]:
    return {"scores": scored.conservative(penalty).tolist(), "ensemble": scored.ensemble.as_dict()}


def _parted(text: str, field: str, before: str) -> Exchange:
    found = chat_text.part(text)
    if found is None:
        raise MalformedError(
            field,
            f"{before}has no chat template known here, so where the response begins cannot be told. "
            "Use a chat template, send prompts too, or send items.",
        )
    return Exchange(found.prompt, found.response)


def _list(body: Mapping[str, Any], name: str) -> Sequence[Any]:
    value = body[name]
    if not isinstance(value, list) or not value:
        raise MalformedError(name, "must be a list of one or more.")
    if len(value) > MOST:
        raise MalformedError(name, f"has {len(value)} entries; at most {MOST} are scored in one request.")
    return value


def _texts(body: Mapping[str, Any], name: str) -> list[str]:
    values = _list(body, name)
    for i, value in enumerate(values):
        if not isinstance(value, str):
            raise MalformedError(f"{name}[{i}]", "must be a text.")
    return list(values)
