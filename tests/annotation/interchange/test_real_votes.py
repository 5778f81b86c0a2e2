"""Real votes all the way: read the debates, make a snapshot of vote shares, export it."""

import io
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from annotation.interchange.jsonl import read_jsonl
from annotation.interchange.records import ItemRecord, item_key, prompt_json, prompt_key, response_keys
from annotation.interchange.snapshot import verify_snapshot
from annotation.interchange.snapshot_rows import PreferenceRow, ResponseRow
from annotation.interchange.trl import EQUAL_SHARES, TIE_MOST_FREQUENT, export
from tests.annotation.interchange.snapshots import snapshot

SHARED = Path(__file__).resolve().parents[3] / ".." / "shared" / "data"
CONVERTER = Path(os.environ.get("LAUREL_SHARED_DATA", SHARED)) / "ukpconvarg1" / "to_laurel.py"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not CONVERTER.exists(), reason=f"no debates at {CONVERTER}; see LAUREL_SHARED_DATA"),
]


@pytest.fixture(scope="module")
def items() -> list[ItemRecord]:
    data = subprocess.run([sys.executable, CONVERTER], capture_output=True, check=True).stdout
    found = list(read_jsonl(io.BytesIO(data), kind="pairwise"))
    assert all(isinstance(item, ItemRecord) for item in found)
    return found  # type: ignore[return-value]


def test_everything_is_read_and_identified(items: list[ItemRecord]) -> None:
    assert (len(items), sum(len(item.votes) for item in items)) == (11_747, 58_602)
    choices = Counter(vote.choice for item in items for vote in item.votes)
    assert choices == {"a": 22_462, "tie": 13_856, "b": 22_284}
    assert len({item_key(item) for item in items}) == 11_747
    assert len({prompt_key(item.prompt) for item in items}) == 22
    assert len({key for item in items for key in response_keys(item)}) == 727
    twins = [item for item in items if item.responses[0].text == item.responses[1].text]
    assert len(twins) == 11
    assert all(len(set(response_keys(item))) == 2 for item in twins)


def test_votes_become_a_snapshot_and_an_export(items: list[ItemRecord], tmp_path: Path) -> None:
    texts: dict[str, ResponseRow] = {}
    labels = []
    for item in items:
        of_prompt, keys = prompt_key(item.prompt), response_keys(item)
        for key, response in zip(keys, item.responses, strict=True):
            texts[key] = ResponseRow(of_prompt, key, prompt_json(item.prompt), response.text)
        counts, votes = Counter(vote.choice for vote in item.votes), len(item.votes)
        shares = (counts["a"] / votes, counts["tie"] / votes, counts["b"] / votes)
        labels.append(
            PreferenceRow(
                item_key(item),
                of_prompt,
                *keys,
                "overall",
                *shares,
                votes,
                float(votes),
                "shares",
                "imported",
            )
        )
    manifest = snapshot(tmp_path / "s", responses=texts.values(), labels=labels)
    assert verify_snapshot(tmp_path / "s").counts == manifest.counts
    assert manifest.counts == {
        "prompts": 22,
        "responses": 727,
        "pairs": 11_747,
        "preferences": 11_747,
        "votes": 58_602,
        "judgments": 0,
    }
    assert manifest.split["prompts"] == {"train": 18, "calibration": 2, "test": 2}
    result = export(tmp_path / "s", tmp_path / "out", format="trl-reward")
    assert sum(result.rows.values()) + sum(result.left_out.values()) == 11_747
    equal = sum(label.p_a == label.p_b for label in labels)
    assert result.left_out[EQUAL_SHARES] == equal
    assert set(result.left_out) == {EQUAL_SHARES, TIE_MOST_FREQUENT}  # people called all twins a tie
    assert set(result.rows) == {"train.jsonl", "validation.jsonl", "test.jsonl"}
