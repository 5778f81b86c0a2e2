"""The leaderboard of the models that wrote the responses: what is read, what the page and the files say."""

import csv
import io
import json
import re

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.models import Role
from annotation.models.quality import SoftLabel
from rewardmodel.services import rating
from tests import factories
from tests.cast import browser, member
from tests.rewardmodel.played import STRENGTHS, played_project

pytestmark = pytest.mark.django_db
QUERIES = 19  # of the whole page, the tabs included, whatever the number of pairs


@pytest.fixture(autouse=True)
def nothing_remembered():
    """Tests roll back, and the next one's project has the same key."""
    for one in (rating._rated, rating._pairs, rating._styles):
        one.cache_clear()


def engineer_of(project):
    person = factories.user()
    member(person, project, Role.ENGINEER)
    return browser(person)


def page(project, **asked):
    answer = engineer_of(project).get(f"/p/{project.slug}/leaderboard/", asked)
    assert answer.status_code == 200
    return answer.content.decode()


def test_models_stand_in_the_order_of_their_strength():
    project = played_project(120)
    board = rating.rate(project).board
    assert [one.model for one in board.rated] == list(STRENGTHS)
    assert board.pairs == 240
    assert board.prompts == 120
    assert board.rated[0].won > 0.6
    assert board.groups == 1


def test_the_page_shows_each_model_with_its_interval_and_the_way_to_look_otherwise():
    text = page(played_project(), control="style")
    assert all(name in text for name in STRENGTHS)
    assert text.count('class="whisker__dot"') == len(STRENGTHS)
    assert "What the looks are worth" in text
    assert re.search(r'aria-current="true"><span dir="auto">Equal style', text)
    assert "category=law" in text


def test_a_category_holds_its_pairs_only_and_an_unknown_one_is_nowhere():
    project = played_project()
    law, science = (rating.rate(project, category=name).board.pairs for name in ("law", "science"))
    assert (law, science) == (60, 60)
    assert engineer_of(project).get(f"/p/{project.slug}/leaderboard/", {"category": "tax"}).status_code == 404


def test_what_is_left_out_is_counted():
    project = played_project(4)
    prompt = factories.prompt(project)
    named = [factories.response(prompt, model=name) for name in ("atlas-70b", "atlas-70b", "")]
    for pair in ((named[0], named[1]), (named[1], named[2])):
        factories.soft_label(factories.pair_item(project, pair=pair))
    found = rating.rate(project)
    assert found.left_out["both responses by the same model"] == 1
    assert found.left_out["a response without a model name"] == 1
    assert found.board.pairs == found.labelled - 2
    assert "A response without a model name" in page(project)


def test_a_new_label_is_seen_at_once():
    project = played_project(10)
    before = rating.rate(project).board.votes
    label = SoftLabel.objects.filter(project=project).first()
    label.effective_votes += 10
    label.save()
    assert rating.rate(project).board.votes == pytest.approx(before + 10)


@pytest.mark.slow
@pytest.mark.parametrize("judged", [False, True])
def test_without_model_names_the_page_says_what_to_do(judged):
    project = factories.project()
    if judged:
        factories.soft_label(factories.pair_item(project))
    assert "No response names its model" in page(project)


def test_one_model_alone_is_no_leaderboard():
    project = factories.project()
    prompt = factories.prompt(project)
    pair = [factories.response(prompt, model="atlas-70b") for _ in range(2)]
    factories.soft_label(factories.pair_item(project, pair=pair))
    assert "Only one model wrote the responses" in page(project)


@pytest.mark.parametrize("role", [Role.ANNOTATOR, Role.REVIEWER])
def test_names_of_models_are_hidden_from_those_who_judge(role):
    project = played_project(4)
    person = factories.user()
    member(person, project, role)
    client = browser(person)
    for path in ("leaderboard/", "leaderboard.json", "leaderboard.csv"):
        assert client.get(f"/p/{project.slug}/{path}").status_code == 404
    assert "Leaderboard" not in client.get(f"/p/{project.slug}/judge/").content.decode()


def test_csv_and_json_hold_the_figures_of_the_page():
    project = played_project()
    client = engineer_of(project)
    board = rating.rate(project, control="length").board
    rows = list(
        csv.DictReader(
            io.StringIO(
                client.get(f"/p/{project.slug}/leaderboard.csv", {"control": "length"}).content.decode()
            )
        )
    )
    assert [row["model"] for row in rows] == [one.model for one in board.rated]
    assert float(rows[0]["rating"]) == pytest.approx(board.rated[0].rating, abs=1e-3)
    told = client.get(f"/p/{project.slug}/leaderboard.json", {"control": "length"}).json()
    assert told["models"][0]["rating"] == board.rated[0].rating
    assert told["style"][0]["feature"] == "log_length"
    assert told["win_matrix"]["expected"][0][0] == 0.5


def test_a_formula_in_a_models_name_stays_text():
    project = played_project(6, strengths={"=1+1": 0.5, "b": 0.0, "c": -0.5})
    table = engineer_of(project).get(f"/p/{project.slug}/leaderboard.csv").content.decode()
    assert ",=1+1" not in table


@pytest.mark.slow
def test_the_command_prints_every_control(capsys):
    project = played_project()
    call_command("leaderboard", project.slug, "--json", "--reference", "cedar-13b")
    told = json.loads(capsys.readouterr().out)
    assert list(told["leaderboards"]) == ["raw", "length", "style"]
    (reference,) = [one for one in told["leaderboards"]["raw"]["models"] if one["model"] == "cedar-13b"]
    assert (reference["rating"], reference["error"]) == (1000, 0)
    call_command("leaderboard", project.slug, "--control", "raw")
    assert "atlas-70b" in capsys.readouterr().out
    with pytest.raises(CommandError, match="There is no model “zebra”"):
        call_command("leaderboard", project.slug, "--reference", "zebra")


@pytest.mark.parametrize("prompts", [5, 60])
def test_the_page_asks_a_fixed_number_of_queries(prompts):
    project = played_project(prompts)
    client = engineer_of(project)
    with CaptureQueriesContext(connection) as asked:
        assert client.get(f"/p/{project.slug}/leaderboard/").status_code == 200
    assert len(asked) <= QUERIES, [one["sql"][:120] for one in asked]
