"""Settings of a run: what is wrong is named."""

import json
from pathlib import Path

import pytest

from rewardmodel.training import config
from rewardmodel.training.failure import ConfigError
from rewardmodel.training.finetune.config import FinetuneConfig


def write(folder: Path, text: str) -> Path:
    path = folder / "settings.json"
    path.write_text(text)
    return path


def test_what_is_left_out_keeps_its_default(tmp_path: Path) -> None:
    read = config.from_json(write(tmp_path, '{"heads": 12, "weight_decay": 5}'))
    assert (read.heads, read.weight_decay) == (12, 5)
    assert read.encoder == config.DEFAULT_ENCODER


def test_a_saved_configuration_reads_back_the_same(tmp_path: Path) -> None:
    before = config.TrainingConfig(seed=7, hidden=64, criterion="helpfulness")
    assert config.from_json(write(tmp_path, json.dumps(before.as_dict()))) == before


def test_the_tier_chooses_the_settings(tmp_path: Path) -> None:
    asked = '{"tier": "finetune", "backbone": "somewhere", "members": 5, "method": "full"}'
    read = config.from_json(write(tmp_path, asked))
    assert isinstance(read, FinetuneConfig)
    assert (read.members, read.method, read.r) == (5, "full", 16)
    assert config.from_json(write(tmp_path, json.dumps(read.as_dict()))) == read
    assert isinstance(config.from_json(write(tmp_path, '{"tier": "cpu"}')), config.TrainingConfig)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ('{"headz": 8}', "headz"),
        ('{"heads": "8"}', "heads"),
        ('{"heads": true}', "heads"),
        ('{"heads": 4}', "at least 8"),
        ('{"learning_rate": 0}', "learning_rate"),
        ('{"weight_decay": NaN}', "weight_decay"),
        ("[]", "one JSON object"),
        ('{"tier": "gpu"}', "cpu, finetune"),
        ('{"tier": "finetune"}', "backbone is not set"),
        ('{"tier": "finetune", "backbone": "b", "heads": 8}', "heads"),
        ('{"tier": "finetune", "backbone": "b", "gradient_checkpointing": 1}', "must be of type bool"),
        ('{"tier": "finetune", "backbone": "b", "tokens_per_pass": 100}', "must hold one response"),
        ("{", "not JSON"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, text: str, named: str) -> None:
    with pytest.raises(ConfigError, match=named):
        config.from_json(write(tmp_path, text))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"absent\.json"):
        config.from_json(tmp_path / "absent.json")
