"""A fine-tuned run handed over: one plain model, the texts it was trained on, scores divided by T."""

from __future__ import annotations

import json
import signal
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from rewardmodel.training import data
from rewardmodel.training.finetune import bundle, texts
from rewardmodel.training.handover import check, distil, finetuned, golden, run
from rewardmodel.training.handover.folder import HandOverError
from rewardmodel.training.stopping import Stop
from tests.rewardmodel import handovers
from tests.rewardmodel.finetune.tiny import prepare, train

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module", params=["chat", "plain"])
def handed(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `snapshot`, a LoRA `run` of two members, and `out`."""
    folder = tmp_path_factory.mktemp(request.param)
    before = signal.getsignal(signal.SIGTERM)
    snapshot, settings = prepare(folder, template=request.param)
    assert train(snapshot, folder / "run", settings) == 0
    signal.signal(signal.SIGTERM, before)
    asked = run.Request(folder / "run", folder / "out", snapshot, folder / "cache", distil.Effort())
    run.hand_over(asked, Stop())
    return folder


def test_it_passes_its_own_check_and_says_what_it_is(handed: Path) -> None:
    done = handovers.check(handed / "out")
    assert done.returncode == 0, done.stderr
    about = json.loads((handed / "out" / "handover.json").read_text())
    assert about["kind"] == "fine-tuned"
    assert about["ensemble"]["heads"] == 2
    assert about["member"] in (0, 1, "mean of all members' weights")
    assert about["held_out"]["pairs"] > 0
    assert (handed / "out" / "model" / "value_head.safetensors").exists()
    assert "fine-tuned model" in (handed / "out" / "README.md").read_text()


def test_the_templated_text_is_what_the_run_was_trained_on(handed: Path) -> None:
    """An oracle of three parts: the run's own tokens, its merged model, its temperature."""
    ensemble = bundle.load(handed / "run" / "ensemble")
    about = json.loads((handed / "out" / "handover.json").read_text())
    member = about["member"] if isinstance(about["member"], int) else None
    snapshot = data.read(handed / "snapshot", None)
    tokenizer = bundle.load_tokenizer(ensemble)
    rows = {text: i for i, text in enumerate(snapshot.responses.texts)}
    lines = handovers.golden_rows(handed / "out")
    mine = np.array([rows[line["messages"][-1]["content"]] for line in lines])
    ids = texts.tokenise(tokenizer, ensemble.template, snapshot.responses, mine.tolist())
    assert all(one[-1] == tokenizer.eos_token_id or one[-2] == tokenizer.eos_token_id for one in ids)
    assert [tokenizer(line["text"], add_special_tokens=False)["input_ids"] for line in lines] == ids
    expected = distil.logits(bundle.merged(ensemble, member), ids, tokenizer.pad_token_id)
    found = np.array([line["score"] for line in lines])
    np.testing.assert_allclose(found, expected / ensemble.temperature, atol=1e-4)
    whole = bundle.score(ensemble, snapshot.responses, mine).rewards.mean(axis=1) / ensemble.temperature
    np.testing.assert_allclose([line["ensemble_mean"] for line in lines], whole, atol=1e-4)


def test_one_member_alone_is_the_ensemble(handed: Path) -> None:
    ensemble = replace(bundle.load(handed / "run" / "ensemble"), size=1)
    snapshot = data.read(handed / "snapshot", None)
    known, members = finetuned.prepare(ensemble, snapshot, lambda done, total: None)
    model, member = finetuned.merge(ensemble, known, members, bundle.load_tokenizer(ensemble))
    rows = known.rows("test")
    found = finetuned.scores(model, bundle.load_tokenizer(ensemble), ensemble, snapshot, rows)
    assert member == 0
    np.testing.assert_allclose(found, members[rows, 0], atol=1e-4)
    assert np.isnan(known.target[known.rows("train")]).all()


def test_a_template_that_cannot_be_told_is_refused(handed: Path) -> None:
    tokenizer = bundle.load_tokenizer(bundle.load(handed / "run" / "ensemble"))
    sample = golden.Example([{"role": "assistant", "content": "green"}], {})
    with pytest.raises(HandOverError, match="not tokenised to what the run was trained on"):
        finetuned.set_template(tokenizer, "chat", [sample], [[1, 2, 3]])
    assert check.TOLERANCE == 1e-4
