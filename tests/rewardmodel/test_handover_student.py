"""The student and its standard form: the same reward, at every position, for every way to write the text."""

import numpy as np
import pytest
import torch

from rewardmodel.training import data
from rewardmodel.training.failure import EncoderError
from rewardmodel.training.handover import distil, fidelity, lesson, standard, student, template
from tests.rewardmodel.synthetic import write_encoder, write_snapshot

WIDTH = 16


@pytest.fixture(scope="module")
def learner(tmp_path_factory):
    """A student with random weights all over, and its tokenizer."""
    folder = write_encoder(tmp_path_factory.mktemp("encoder"), width=WIDTH)
    made, tokenizer = student.load(folder, seed=0)
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in (made.seek, made.slope, made.inner, made.offset, made.outer):
            parameter.copy_(torch.randn(parameter.shape, generator=generator) / 4)
        made.bias.fill_(0.75)
        for parameter in made.parameters():
            parameter.copy_(parameter.bfloat16().float())
    tokenizer.chat_template = template.for_encoder(tokenizer)
    return made.eval(), tokenizer


@pytest.fixture(scope="module")
def batch(learner):
    _, tokenizer = learner
    prompts = ["the cat opens", "the river " * 40, "stone"]
    texts = ["because the evidence", "green lol " * 30, "meh"]
    return student.padded(student.token_ids(tokenizer, prompts, texts, 150), tokenizer.pad_token_id)


def test_the_standard_model_gives_the_students_reward(learner, batch):
    made, _ = learner
    with torch.inference_mode():
        expected = made(*batch)
        found = standard.compiled(made)(input_ids=batch[0], attention_mask=batch[1]).logits
    assert found.shape == (3, 1)
    assert expected.std() > 0.1
    torch.testing.assert_close(found[:, 0], expected, atol=2e-6, rtol=0)


def test_every_token_holds_the_reward_so_readers_of_first_and_last_agree(learner, batch):
    model = standard.compiled(learner[0])
    with torch.inference_mode():
        hidden = model.bert(input_ids=batch[0], attention_mask=batch[1]).last_hidden_state
        read = hidden @ model.classifier.weight[0]
        logits = model(input_ids=batch[0], attention_mask=batch[1]).logits
    for row, length in enumerate(batch[1].sum(1)):
        torch.testing.assert_close(read[row, :length], logits[row].expand(length), atol=2e-6, rtol=0)


def test_the_weights_are_what_bfloat16_can_hold(learner):
    for name, parameter in standard.compiled(learner[0]).named_parameters():
        assert torch.equal(parameter, parameter.bfloat16().float()), name


def test_a_pair_of_texts_and_the_templated_text_score_alike(learner):
    made, tokenizer = learner
    model = standard.compiled(made)
    prompt, response = "the cat opens", "because the evidence"
    messages = [{"role": "user", "content": prompt}, {"role": "assistant", "content": response}]
    text = template.render(tokenizer, messages)
    assert text == "[CLS][length-36]the cat opens[SEP]because the evidence[SEP]"
    single = tokenizer(text, add_special_tokens=False, return_tensors="pt")
    ids, mask = student.padded(student.token_ids(tokenizer, [prompt], [response], 100), 0)
    assert single["input_ids"].tolist() == ids.tolist()
    segments = torch.tensor([[0] * 6 + [1] * (ids.shape[1] - 6)])
    with torch.inference_mode():
        whole = model(**single).logits
        pair = model(input_ids=ids, attention_mask=mask, token_type_ids=segments).logits
    torch.testing.assert_close(whole, pair, atol=1e-6, rtol=0)


def test_padding_and_company_change_nothing(learner, batch):
    model = standard.compiled(learner[0])
    with torch.inference_mode():
        together = model(input_ids=batch[0], attention_mask=batch[1]).logits[2]
        length = int(batch[1][2].sum())
        alone = model(input_ids=batch[0][2:, :length], attention_mask=batch[1][2:, :length]).logits[0]
    torch.testing.assert_close(together, alone, atol=2e-6, rtol=0)


def test_the_template_joins_turns_and_ends_without_a_response(learner):
    _, tokenizer = learner
    turns = [
        {"role": "user", "content": "a"},
        {"role": "assistant", "content": "b"},
        {"role": "user", "content": "c"},
    ]
    assert template.render(tokenizer, turns) == "[CLS]a\nb\nc[SEP]"
    answered = [*turns, {"role": "assistant", "content": "d"}]
    assert template.render(tokenizer, answered) == "[CLS][length-9]a\nb\nc[SEP]d[SEP]"


def test_long_texts_lose_the_beginning_of_the_prompt_then_the_end_of_the_response(learner):
    _, tokenizer = learner
    prompt, response = "the cat house river", "because therefore evidence carefully precisely"
    (whole,) = student.token_ids(tokenizer, [prompt], [response], 100)
    assert len(whole) == 13
    (short,) = student.token_ids(tokenizer, [prompt], [response], 11)
    assert short == [*whole[:2], *whole[4:]]
    (shorter,) = student.token_ids(tokenizer, [prompt], [response], 8)
    assert shorter == [*whole[:2], whole[5], whole[6], *whole[7:10], whole[12]]


def test_the_template_counts_length_as_the_student_does(learner):
    _, tokenizer = learner
    levels = []
    for size in (0, 1, 2, 11, 36, 500, 3_000, 20_000, 80_000):
        text = "ü" * size
        levels.append(template.level(text))
        rendered = template.render(tokenizer, [{"role": "assistant", "content": text}])
        assert rendered.startswith(f"[CLS][length-{levels[-1]}]")
    assert levels == sorted(levels)
    assert (levels[0], levels[-1]) == (1, template.LEVELS - 1)
    exact = [1 + np.log(size + 1) / np.log(template.RATIO) for size in (36, 500, 20_000)]
    assert [template.level("x" * size) for size in (36, 500, 20_000)] == [int(level) for level in exact]


def test_length_is_read_whatever_stands_around_it(tmp_path):
    """The length token is found, and its level arrives, in company of few tokens or of many."""
    made, tokenizer = student.load(write_encoder(tmp_path / "encoder", width=WIDTH), seed=0)
    rng = np.random.default_rng(0)
    texts = [" ".join(rng.choice(("lol", "river", "because"), size=n)) for n in (1, 3, 9, 30, 90) * 4]
    rows = student.token_ids(tokenizer, ["the cat"] * len(texts), texts, 150)
    batch = student.padded(rows, tokenizer.pad_token_id)
    made.aim(*batch)
    states = made.encoder(input_ids=batch[0], attention_mask=batch[1]).last_hidden_state
    weights = (states @ made.seek / made.head**0.5).masked_fill(batch[1] == 0, -torch.inf).softmax(1)
    assert weights[:, 1].min() > 0.99
    told = states[:, 1, -student.TOLD :].detach().numpy()
    level = np.array([template.level(text) for text in texts], dtype=float)
    design = np.hstack([told, np.ones((len(told), 1))])
    fitted = design @ np.linalg.lstsq(design, level, rcond=None)[0]
    assert np.corrcoef(fitted, level)[0, 1] > 0.99


def test_a_batch_is_encoded_by_length_with_the_rewards_and_gradients_of_encoding_it_at_once(
    learner, monkeypatch
):
    made, tokenizer = learner
    rng = np.random.default_rng(0)
    texts = [" ".join(rng.choice(("lol", "river", "because"), size=n)) for n in rng.integers(1, 80, 21)]
    ids = student.token_ids(tokenizer, ["the cat"] * len(texts), texts, 150)
    batch = rng.permutation(len(texts))[:19]
    read, padded = [], student.padded
    monkeypatch.setattr(distil, "padded", lambda rows, pad: (read.append(rows), padded(rows, pad))[1])

    def gradients(scores):
        made.zero_grad()
        scores.square().sum().backward()
        return {name: p.grad.clone() for name, p in made.named_parameters() if p.grad is not None}

    at_once = made(*padded([ids[i] for i in batch], tokenizer.pad_token_id))
    in_parts = distil._scores(made, ids, batch, tokenizer.pad_token_id)
    torch.testing.assert_close(in_parts, at_once, atol=1e-5, rtol=1e-4)
    expected, found = gradients(at_once), gradients(in_parts)
    made.zero_grad()
    assert "encoder.encoder.layer.0.output.dense.weight" in found
    for name, gradient in found.items():
        torch.testing.assert_close(gradient, expected[name], atol=1e-4, rtol=1e-3, msg=name)
    assert sorted(row for part in read for row in part) == sorted(ids[i] for i in batch)
    spent = sum(len(part) * max(map(len, part)) for part in read)
    assert spent < 0.8 * len(batch) * max(len(ids[i]) for i in batch)


def test_only_bert_encoders_become_one_folder(tmp_path):
    from transformers import DistilBertConfig, DistilBertModel

    folder = write_encoder(tmp_path / "encoder")
    DistilBertModel(
        DistilBertConfig(vocab_size=29, dim=8, n_layers=1, n_heads=2, hidden_dim=8)
    ).save_pretrained(folder)
    with pytest.raises(EncoderError, match="only BERT encoders"):
        student.load(folder, 0)


@pytest.fixture(scope="module")
def taught(tmp_path_factory):
    """A lesson whose teacher is a known function of the words, twice learned from."""
    root = tmp_path_factory.mktemp("lesson")
    snapshot = data.read(write_snapshot(root / "snapshot", prompts=24), None)
    folder = write_encoder(root / "encoder")
    texts = snapshot.responses.texts
    target = np.array(
        [0.4 * sum(text.count(w) for w in ("because", "evidence")) for text in texts]
    ) - np.array([0.3 * text.count("lol") for text in texts])
    of_prompt = np.full(len(snapshot.responses.prompt_ids), "train", dtype=object)
    of_prompt[snapshot.pairs.prompt] = snapshot.pairs.split
    known = lesson.Lesson(snapshot, target, np.zeros(len(target)), -0.5, of_prompt[snapshot.responses.prompt])
    effort = distil.Effort(tokens=8_000, longest=40)
    made = [student.load(folder, 0) for _ in range(2)]
    return known, [distil.distil(*one, known, effort, lambda *_: None) for one in made], made[0][1]


@pytest.mark.slow
def test_the_student_learns_its_teacher_and_the_same_seed_gives_the_same_student(taught):
    _, (first, second), _ = taught
    for name, value in first.student.state_dict().items():
        assert torch.equal(value, second.student.state_dict()[name]), name
    assert first.loss <= first.loss_linear
    assert first.loss < 0.6


@pytest.mark.slow
def test_fidelity_sets_student_teacher_and_length_beside_each_other(taught):
    known, _, _ = taught
    rows = known.rows("test")
    perfect = fidelity.fidelity(known, rows, known.target[rows], seed=0)
    assert perfect["spearman_with_ensemble"] == pytest.approx(1)
    assert perfect["student_minus_ensemble"]["value"] == 0
    inverted = fidelity.fidelity(known, rows, -known.target[rows], seed=0)
    assert inverted["spearman_with_ensemble"] == pytest.approx(-1)
    teacher = inverted["accuracy_ensemble"]["value"]
    assert inverted["accuracy_student"]["value"] == pytest.approx(1 - teacher)
    assert inverted["accuracy_length"] == perfect["accuracy_length"]
    assert set(known.split[rows]) == {"test"}
