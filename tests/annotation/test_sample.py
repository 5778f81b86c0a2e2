"""The sample project's files: whole, honest about quality, and not to be won by counting letters."""

import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

SAMPLE = Path(__file__).resolve().parents[2] / "annotation" / "sample"
PARTS = sorted(SAMPLE.glob("*.jsonl"))
CATEGORIES = {
    "part1": {"coding", "maths", "explanation"},
    "part2": {"advice", "safety", "summarising"},
}
CHIPS = (
    "factual error",
    "unsafe",
    "ignores the question",
    "hard to read",
    "better explanation",
    "more complete",
)
ITEM_KEYS = {"id", "prompt", "responses", "metadata"}
RESPONSE_KEYS = {"id", "text", "model", "metadata"}
# Sides are drawn per assignment, so a reason may not lean on the order of the answers.
POSITIONAL = re.compile(
    r"\b(?:first|second|third|former|latter|left-hand|right-hand) (?:answer|response)\b"
    r"|\b(?:answer|response) [AB12]\b",
    re.IGNORECASE,
)


def read(path: Path) -> list[dict[str, Any]]:
    lines = path.read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines if line.strip()]


def read_all() -> list[dict[str, Any]]:
    return [item for path in PARTS for item in read(path)]


def prompt_text(prompt: str | list[dict[str, str]]) -> str:
    return prompt if isinstance(prompt, str) else "\n".join(turn["content"] for turn in prompt)


def qualities(item: dict[str, Any]) -> dict[str, float]:
    return {response["id"]: response["metadata"]["quality"] for response in item["responses"]}


def best(item: dict[str, Any]) -> dict[str, Any]:
    return max(item["responses"], key=lambda response: response["metadata"]["quality"])


each_part = pytest.mark.parametrize("path", PARTS, ids=lambda path: path.stem)
each_item = pytest.mark.parametrize("item", read_all(), ids=lambda item: str(item.get("id")))


def test_the_first_part_is_there() -> None:
    assert "part1" in {path.stem for path in PARTS}


@each_item
def test_an_item_is_well_formed(item: dict[str, Any]) -> None:
    assert set(item) == ITEM_KEYS
    assert set(item["metadata"]) <= {"category", "title", "gold"}
    assert item["metadata"]["title"].strip()
    assert 3 <= len(item["responses"]) <= 4
    for response in item["responses"]:
        assert set(response) == RESPONSE_KEYS
        assert response["text"].strip() == response["text"] != ""
        assert response["model"].startswith("laurel-sample-")
        assert response["id"].startswith(f"{item['id']}/")
        assert -2 <= response["metadata"]["quality"] <= 2


@each_item
def test_a_conversation_ends_with_the_user(item: dict[str, Any]) -> None:
    assert prompt_text(item["prompt"]).strip()
    if isinstance(item["prompt"], list):
        assert all(set(turn) == {"role", "content"} and turn["content"].strip() for turn in item["prompt"])
        roles = [turn["role"] for turn in item["prompt"]]
        assert len(roles) % 2 == 1
        assert roles == (["user", "assistant"] * len(roles))[: len(roles)]


@each_item
def test_code_fences_are_closed(item: dict[str, Any]) -> None:
    texts = [prompt_text(item["prompt"]), *(response["text"] for response in item["responses"])]
    for text in texts:
        assert len(re.findall(r"^ *```", text, re.MULTILINE)) % 2 == 0, text


@each_item
def test_responses_differ_visibly_in_quality(item: dict[str, Any]) -> None:
    values = sorted(qualities(item).values())
    assert values[-1] - values[0] >= 1.0
    assert values[-1] > values[-2], "one response is the best one"


@each_item
def test_gold_names_a_better_and_a_worse_response_of_its_own(item: dict[str, Any]) -> None:
    gold = item["metadata"].get("gold")
    if gold is None:
        return
    assert set(gold) == {"better", "worse", "reason"}
    own = qualities(item)
    assert own[gold["better"]] - own[gold["worse"]] >= 1.0
    assert len(gold["reason"].split()) >= 15, "an annotator learns from the reason"
    assert not POSITIONAL.search(gold["reason"]), gold["reason"]


@each_part
def test_the_categories_are_those_of_the_part(path: Path) -> None:
    found = Counter(item["metadata"]["category"] for item in read(path))
    assert set(found) == CATEGORIES[path.stem]
    assert min(found.values()) >= 5


@each_part
def test_a_part_has_gold_and_conversations(path: Path) -> None:
    items = read(path)
    assert sum("gold" in item["metadata"] for item in items) >= 5
    assert any(isinstance(item["prompt"], list) and len(item["prompt"]) >= 3 for item in items)


@each_part
def test_the_best_response_is_not_simply_the_longest(path: Path) -> None:
    items = read(path)
    longest = sum(len(best(item)["text"]) == max(len(r["text"]) for r in item["responses"]) for item in items)
    assert 0.1 <= longest / len(items) <= 0.6


@each_part
def test_the_best_response_does_not_stand_in_the_same_place_or_come_from_one_model(path: Path) -> None:
    items = read(path)
    places = Counter(item["responses"].index(best(item)) for item in items)
    assert max(places.values()) / len(items) <= 0.6
    assert len({best(item)["model"] for item in items}) >= 2


def test_ids_and_texts_are_unique_over_all_parts() -> None:
    items = read_all()
    responses = [response for item in items for response in item["responses"]]
    assert len({item["id"] for item in items}) == len(items)
    assert len({response["id"] for response in responses}) == len(responses)
    assert len({response["text"].casefold() for response in responses}) == len(responses)
    assert len({prompt_text(item["prompt"]) for item in items}) == len(items)
    assert len({item["metadata"]["title"] for item in items}) == len(items)


def test_all_parts_together_hold_sixty_prompts() -> None:
    assert len(read_all()) >= 60


@pytest.mark.parametrize("chip", CHIPS)
def test_the_guidelines_explain_every_reason_chip(chip: str) -> None:
    assert f"| **{chip}** |" in (SAMPLE / "guidelines.md").read_text(encoding="utf-8")
