"""A whole fine-tuning run: what it learns, what it writes, what it refuses."""

import gc
import signal
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from safetensors.torch import load_file

from rewardmodel.pages import findings
from rewardmodel.pages import preflight as preflight_page
from rewardmodel.training import data, ensemble, stopping, votes
from rewardmodel.training.failure import EnsembleError
from rewardmodel.training.finetune import backbone, bundle, members, processes, run
from rewardmodel.training.scoring import score, scorer
from rewardmodel.training.scoring.conversation import Exchange, Turn
from tests.rewardmodel.finetune.tiny import prepare, read, train
from tests.rewardmodel.finetune.tiny import settings as tiny_settings
from tests.rewardmodel.synthetic import write_backbone, write_tables


@pytest.fixture(autouse=True)
def _restore_sigterm() -> Iterator[None]:
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a LoRA run on 40 prompts, with its snapshot beside it."""
    folder = tmp_path_factory.mktemp("finetune")
    before = signal.getsignal(signal.SIGTERM)
    snapshot, settings = prepare(folder, prompts=40, responses=5, epochs=3)
    assert train(snapshot, folder / "run", settings) == 0
    signal.signal(signal.SIGTERM, before)
    return folder


@pytest.mark.slow
def test_it_learns_and_writes_what_the_cpu_tier_writes(trained: Path) -> None:
    run = trained / "run"
    metrics = read(run / "metrics.json")
    assert metrics["accuracy"]["value"] > metrics["baselines"]["length"]["value"]
    assert metrics["nll"] < metrics["baselines"]["majority"]["nll"] - 0.1
    assert metrics["evaluation"] == "held-out test split of 4 prompts"
    assert metrics["training"]["prompts"] == 32
    assert metrics["left_out"] == [{"reason": "gold", "count": 3}]
    progress = read(run / "progress.json")
    assert progress["phase"] == "done"
    assert progress["curve"][-1]["step"] == metrics["training"]["steps"]
    assert progress["curve"][-1]["train"] < progress["curve"][0]["train"]
    predicted = pq.read_table(run / "predictions.parquet").to_pydict()
    assert len(predicted["pair_id"]) == metrics["evaluated"]["pairs"] == 40
    assert set(predicted["split"]) == {"test"}
    assert not (run / "checkpoint").exists()
    assert not (run / "failure.json").exists()
    assert not list(run.rglob("*.part"))


@pytest.mark.slow
def test_the_report_looks_closer_and_a_card_is_written(trained: Path) -> None:
    metrics = read(trained / "run" / "metrics.json")
    rows = metrics["strata"]["length_gap"]["rows"]
    assert sum(row["n"] for row in rows) == metrics["accuracy"]["n"]
    assert metrics["strata"]["category"]["left_out"] == "the snapshot names no category"
    assert metrics["rank_correlation"]["spearman"]["value"] > 0
    assert metrics["rank_correlation"]["source"] == "pairs: share of the votes won"
    assert metrics["disagreement"]["heads"] == 2
    far = metrics["out_of_distribution"]
    assert 0 <= far["flagged"]["value"] < 0.5
    assert far["auroc_of_error"]["n"] == metrics["accuracy"]["n"]
    assert len(findings.chapters(metrics)) == 2  # the page shows them
    card = (trained / "run" / "MODEL_CARD.md").read_text()
    assert f"{metrics['accuracy']['value']:.3f}" in card
    assert '"method": "lora"' in card


@pytest.mark.slow
def test_texts_unlike_the_training_responses_are_told_apart(trained: Path) -> None:
    """Responses of the snapshot, and the same cut to a word said forty times."""
    folder = trained / "run" / "ensemble"
    members = scorer.FORMATS[bundle.FORMAT](folder, None, "cpu", 10)
    rows = data.read_responses(trained / "snapshot" / "responses.parquet")
    prompt = (Turn("user", rows.prompt_texts[0]),)
    usual = members([Exchange(prompt, text) for text in rows.texts[:50]])
    odd = members([Exchange(prompt, " ".join([text.split()[0]] * 40)) for text in rows.texts[:50]])
    assert usual.distance is not None
    assert odd.distance is not None
    assert odd.flagged is not None
    assert usual.flagged is not None
    assert usual.flagged.mean() < 0.2 < odd.flagged.mean()
    assert np.median(odd.distance) > np.quantile(usual.distance, 0.9)


@pytest.mark.slow
def test_the_preflight_report_says_what_was_checked(trained: Path) -> None:
    found = read(trained / "run" / "preflight.json")
    assert preflight_page.preflight(trained / "run") is not None  # what the run's page reads
    assert found["template"] == "chat"
    assert found["rows"]["dropped"] == []
    assert found["tokenizer"] == {"pad": "<pad>", "eos": "<|end|>", "pad_is_eos": False}
    assert max(found["rewards"]["largest_difference"].values()) < 1e-5
    assert found["head"]["gradient_norm"] > 0
    assert found["head"]["moved"] > 0
    assert found["memory"]["free"] > found["memory"]["total"] > 0
    shown = preflight_page.preflight(trained / "run")
    assert shown is not None
    assert shown.facts[0].value == str(found["rows"]["trained"]["pairs"]) == "320"


@pytest.mark.slow
def test_the_heads_that_were_trained_are_saved_and_members_differ(trained: Path) -> None:
    files = [trained / "run" / "ensemble" / f"member{k}" / "adapter_model.safetensors" for k in (0, 1)]
    heads = [
        next(value for name, value in load_file(path).items() if name.endswith("score.weight"))
        for path in files
    ]
    assert heads[0].shape == (1, 32)
    assert not torch.equal(heads[0], heads[1])
    assert not list((trained / "run" / "ensemble").rglob("*.bin"))  # safetensors only


@pytest.mark.slow
def test_scoring_is_one_dispatch_and_equals_each_member_merged(trained: Path) -> None:
    """`python -m rewardmodel.training.scoring.score`, the gate's door, against plain transformers."""
    out, responses = trained / "scores.npz", trained / "snapshot" / "responses.parquet"
    assert score.main([str(trained / "run" / "ensemble"), str(responses), str(out)]) == 0
    with np.load(out, allow_pickle=False) as found:
        rewards, hidden = found["rewards"], found["features"]
        assert rewards.shape == (200, 2)
        assert hidden.shape == (200, 32)
        ids = found["response_id"].tolist()
    loaded = ensemble.load(trained / "run" / "ensemble")
    assert isinstance(loaded, bundle.Finetuned)
    tokenizer = bundle.load_tokenizer(loaded)
    rows = data.read_responses(responses)
    texts = [
        tokenizer.apply_chat_template(
            [
                {"role": "user", "content": rows.prompt_texts[rows.prompt[i]]},
                {"role": "assistant", "content": rows.texts[i]},
            ],
            tokenize=False,
        )
        for i in (0, 7, 31)
    ]
    encoded = tokenizer(texts, return_tensors="pt", padding=True, add_special_tokens=False)
    for member in (0, 1):
        plain = bundle.merged(loaded, member)
        assert plain.config.num_labels == 1
        with torch.no_grad():
            again = plain(
                input_ids=encoded["input_ids"], attention_mask=encoded["attention_mask"]
            ).logits.squeeze(-1)
        wanted = rewards[[ids.index(rows.ids[i]) for i in (0, 7, 31)], member]
        wanted = wanted - bundle.by_length(loaded, rows, np.array([0, 7, 31]))
        np.testing.assert_allclose(again.numpy(), wanted, atol=1e-4)
    assert np.abs(rewards[:, 0] - rewards[:, 1]).mean() > 0.01


@pytest.mark.slow
def test_it_is_served_like_any_other_ensemble(trained: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The scorer of the servers, asked twice, says what a whole file's scoring says."""
    folder = trained / "run" / "ensemble"
    members = scorer.FORMATS[bundle.FORMAT](folder, None, "cpu", 10)
    rows = data.read_responses(trained / "snapshot" / "responses.parquet")
    wanted = bundle.score(bundle.load(folder), rows, np.arange(3)).rewards
    prompt = (Turn("user", rows.prompt_texts[0]),)
    exchanges = [Exchange(prompt, text) for text in rows.texts[:3]]
    np.testing.assert_allclose(members(exchanges).rewards, wanted, atol=1e-5)
    for name in ("load_tokenizer", "_backbone"):  # the second time all is in memory
        monkeypatch.delattr(bundle, name)
    np.testing.assert_allclose(members(exchanges).rewards, wanted, atol=1e-5)
    monkeypatch.undo()
    assert scorer.load(folder).identity.format == bundle.FORMAT


@pytest.mark.slow
def test_an_ensemble_is_not_used_with_another_backbone_or_other_weights(trained: Path) -> None:
    folder = trained / "run" / "ensemble"
    rows = data.read_responses(trained / "snapshot" / "responses.parquet")
    loaded = bundle.load(folder)
    write_backbone(trained / "backbone", seed=9)
    with pytest.raises(EnsembleError, match="Train again"):
        bundle.score(loaded, rows)
    write_backbone(trained / "backbone", seed=0)
    bundle.score(loaded, rows, np.arange(2))  # the control
    path = folder / "member1" / "adapter_model.safetensors"
    content = path.read_bytes()
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(EnsembleError, match="member1/adapter_model"):
        bundle.load(folder)
    path.write_bytes(content)
    bundle.load(folder)


@pytest.mark.slow
def test_full_fine_tuning_gives_whole_models(tmp_path: Path) -> None:
    snapshot, settings = prepare(tmp_path, method="full")
    assert train(snapshot, tmp_path / "run", settings) == 0
    loaded = bundle.load(tmp_path / "run" / "ensemble")
    rows = data.read_responses(snapshot / "responses.parquet")
    found = bundle.score(loaded, rows)
    assert found.rewards.shape == (48, 2)
    weights = [load_file(loaded.folder / f"member{k}" / "model.safetensors") for k in (0, 1)]
    start = load_file(tmp_path / "backbone" / "model.safetensors")
    name = "model.layers.0.mlp.up_proj.weight"
    assert not torch.equal(weights[0][name], weights[1][name])
    assert not torch.equal(weights[0][name], start[name])
    mean = bundle.merged(loaded, None).state_dict()[name]
    torch.testing.assert_close(mean, (weights[0][name] + weights[1][name]) / 2)


@pytest.mark.slow
def test_too_long_responses_are_counted_and_listed(tmp_path: Path) -> None:
    snapshot, settings = prepare(tmp_path, prompts=20, max_length=30)
    assert train(snapshot, tmp_path / "run", settings) == 0
    rows = read(tmp_path / "run" / "preflight.json")["rows"]
    metrics = read(tmp_path / "run" / "metrics.json")
    assert rows["dropped"]
    assert all(set(one["responses"]) & rows["too_long_responses"].keys() for one in rows["dropped"])
    assert all(length > 30 for length in rows["too_long_responses"].values())
    assert rows["trained"]["pairs"] + len(rows["dropped"]) == 16 * 6
    said = {"reason": "longer than 30 tokens", "count": len(rows["dropped"])}
    assert said in metrics["left_out"]
    assert metrics["evaluated"]["pairs"] == 2 * 6  # held-out pairs are all kept


@pytest.mark.parametrize(
    ("settings", "kind", "words"),
    [
        ({"backbone": "/nowhere/at/all"}, "encoder", "not a folder here"),
        ({"max_length": 500}, "backbone", "reads 128 tokens at most"),
        ({"max_length": 9, "prompts": 12}, "too_few", "at most 9 tokens"),
        ({"pad_token": "<|end|>"}, "backbone", "also EOS"),
        ({"pad_token": "because"}, "preflight", "occurs in a text"),
        ({"target_modules": "nothing"}, "backbone", "LoRA cannot be put"),
        ({"method": "some"}, "config", "lora, full"),
        ({"member": 3}, "config", "Unknown setting"),
    ],
)
def test_what_is_wrong_is_said_before_anything_is_trained(
    tmp_path: Path, settings: dict[str, object], kind: str, words: str
) -> None:
    snapshot, path = prepare(tmp_path, **settings)  # type: ignore[arg-type]
    assert train(snapshot, tmp_path / "run", path) == 1
    failure = read(tmp_path / "run" / "failure.json")
    assert failure["kind"] == kind
    assert words in failure["reason"]
    assert not (tmp_path / "run" / "ensemble").exists()


def test_a_conversation_that_the_template_refuses_is_named(tmp_path: Path) -> None:
    snapshot, settings = prepare(tmp_path)
    refusing = "{% if messages|length > 1 %}{{ raise_exception('Only one turn') }}{% endif %}"
    (tmp_path / "backbone" / "chat_template.jinja").write_text(refusing)
    assert train(snapshot, tmp_path / "run", settings) == 1
    failure = read(tmp_path / "run" / "failure.json")
    assert failure["kind"] == "backbone"
    assert "'p000r0': Only one turn. Set template to \"plain\"" in failure["reason"]


def test_the_pad_token_is_looked_for_in_every_text(tmp_path: Path) -> None:
    """One response of many holds it, and it is none of those that are encoded in several ways."""
    snapshot, settings = prepare(tmp_path, prompts=20, template="plain", pad_token="<|system|>")
    rows = pq.read_table(snapshot / "responses.parquet").to_pylist()
    pairs = pq.read_table(snapshot / "preferences.parquet").to_pylist()
    learned = next(pair["response_a"] for pair in pairs if pair["split"] == "train")
    for row in rows:
        if row["response_id"] == learned:
            row["text"] = " ".join(["<|system|>", *row["text"].split()[1:]])
    other = write_tables(tmp_path / "other", rows, pairs)
    assert train(other, tmp_path / "run", settings) == 1
    assert "occurs in a text" in read(tmp_path / "run" / "failure.json")["reason"]


@pytest.mark.slow
def test_a_run_is_not_resumed_on_another_backbone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Members that are finished would be mixed with members of other weights."""
    snapshot, settings = prepare(tmp_path, members=2)
    out, save = tmp_path / "run", members.save

    def killed(member: members.Member, folder: Path, description: dict[str, object]) -> None:
        save(member, folder, description)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(members, "save", killed)
        with pytest.raises(KeyboardInterrupt):
            train(snapshot, out, settings)
    first = load_file(out / "ensemble" / "member0" / "adapter_model.safetensors")
    write_backbone(tmp_path / "backbone", seed=9)
    assert train(snapshot, out, settings) == 1
    assert read(out / "failure.json")["kind"] == "backbone"
    assert "another backbone" in read(out / "failure.json")["reason"]
    write_backbone(tmp_path / "backbone", seed=0)
    assert train(snapshot, out, settings) == 0
    again = load_file(out / "ensemble" / "member0" / "adapter_model.safetensors")
    assert all(torch.equal(value, again[name]) for name, value in first.items())


@pytest.mark.slow
def test_the_backbone_is_not_held_twice_when_the_ensemble_is_scored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Scoring reads the files; the weights that were trained on are gone by then."""
    networks: list[weakref.ref[torch.nn.Module]] = []
    load, score_ = backbone.network, bundle.score
    held: list[int] = []

    def loaded(*arguments: Any) -> Any:
        model = load(*arguments)
        networks.append(weakref.ref(model))
        return model

    def scored(*arguments: Any, **options: Any) -> bundle.Rewards:
        gc.collect()
        held.append(sum(network() is not None for network in networks))
        return score_(*arguments, **options)

    monkeypatch.setattr(backbone, "network", loaded)
    monkeypatch.setattr(bundle, "score", scored)
    snapshot, settings = prepare(tmp_path)
    assert train(snapshot, tmp_path / "run", settings) == 0
    assert len(networks) == 3  # checked, trained, scored
    assert held == [0]


def test_other_processes_do_not_wait_for_the_evaluation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process that waits longer than the others may take is ended, and its run with it."""
    events: list[str] = []
    everyone = processes.Processes(1, 2, torch.device("cpu"))
    nothing: Any = lambda *_, **__: None  # noqa: E731
    monkeypatch.setattr(processes, "join", lambda: everyone)
    monkeypatch.setattr(processes.Processes, "wait", lambda _: events.append("waited"))
    for module, name in ((data, "read"), (votes, "read"), (run, "claim"), (run, "prepare")):
        monkeypatch.setattr(module, name, nothing)
    monkeypatch.setattr(run._Run, "train_members", lambda *_: events.append("trained"))
    monkeypatch.setattr(run._Run, "finish", lambda *_: events.append("evaluated"))
    snapshot, path = prepare(tmp_path)
    asked = run.Request(snapshot, tmp_path / "run", tiny_settings(path), tmp_path)
    assert run.train(asked, stopping.Stop()) == {}
    assert events == ["waited", "trained"]
