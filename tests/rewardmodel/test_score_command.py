"""./laurel score: the ensemble that is named or scores, the manifest, and refusals in words."""

import io
import json

import pyarrow.parquet as pq
import pytest
from django.core.management import CommandError, call_command

from rewardmodel.services import scoring
from tests import factories
from tests.rewardmodel.bundles import write_ensemble
from tests.rewardmodel.worlds import run_folder

pytestmark = pytest.mark.django_db


@pytest.fixture
def scoring_project(tmp_path):
    project = factories.project()
    run = factories.run(project)
    write_ensemble(run_folder(run) / "ensemble")
    factories.ensemble(run)
    return project


def command(*words):
    out = io.StringIO()
    call_command("score", *map(str, words), "--json", stdout=out, stderr=io.StringIO())
    return json.loads(out.getvalue())


@pytest.mark.slow
def test_a_file_is_scored_by_the_active_ensemble_and_bad_rows_are_named(scoring_project, tmp_path):
    (tmp_path / "in.jsonl").write_text('{"prompt": "the cat", "responses": ["because", "lol"]}\nnonsense\n')
    told = command(scoring_project.slug, tmp_path / "in.jsonl", tmp_path / "out")
    assert (told["run"], told["rows"], told["responses"]) == (1, 2, 2)
    assert told["bad"]["rows"][0]["line"] == 2
    assert told["ensemble"]["project"] == scoring_project.slug
    assert pq.read_table(tmp_path / "out").num_rows == 3
    again = command(scoring_project.slug, tmp_path / "in.jsonl", tmp_path / "out", "--run", 1)
    assert again == told


@pytest.mark.parametrize("code", [-9, 143])
def test_scoring_that_was_killed_says_so_and_how_to_go_on(scoring_project, tmp_path, code):
    (tmp_path / "in.jsonl").write_text("")
    run = scoring_project.ensembles.get().run
    with pytest.raises(scoring.ScoringFailed, match=r"stopped from outside.*goes on where it was"):
        scoring.score_rows(
            run=run, source=tmp_path / "in.jsonl", out=tmp_path / "out", follow=lambda child: code
        )


def test_refusals_say_what_to_do(scoring_project, tmp_path):
    slug = scoring_project.slug
    bare = factories.project()
    (tmp_path / "in.jsonl").write_text("")
    for words, message in (
        ((bare.slug, tmp_path / "in.jsonl", tmp_path / "out"), "no ensemble that scores: ./laurel train"),
        ((slug, tmp_path / "in.jsonl", tmp_path / "out", "--run", 9), "has no run 9"),
        ((slug, tmp_path / "missing", tmp_path / "out"), "There is no file"),
        ((slug, tmp_path / "in.jsonl", tmp_path / "out", "--shard", "5/4"), "5/4"),
    ):
        with pytest.raises(CommandError, match=message):
            command(*words)
