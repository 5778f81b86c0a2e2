"""How much each criterion counts in the overall reward: from the settings page into the snapshot."""

import json
from typing import Any

import pytest

from annotation.models.project import Project
from annotation.services import snapshotting
from annotation.services.project_rules import InvalidProject, tidy_criteria
from tests import factories
from tests.annotation.test_project_pages import SETTINGS, stored
from tests.cast import browser, make_cast

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("criteria", "weights"),
    [
        ([{"name": "overall"}, {"name": "tone"}], {"overall": 1, "tone": 0}),
        ([{"name": "help"}, {"name": "tone"}], {"help": 1, "tone": 1}),
        ([{"name": "overall"}, {"name": "tone", "weight": 2.5}], {"overall": 1, "tone": 2.5}),
    ],
)
def test_weights_are_those_given_else_the_overall_else_equal(
    criteria: list[dict[str, Any]], weights: dict[str, float]
) -> None:
    assert Project(criteria=criteria).criteria_weights == weights


@pytest.mark.parametrize("weight", ["x", -1, 101, float("nan"), float("inf"), [1]])
def test_a_weight_is_a_number_from_nought_to_a_hundred(weight: Any) -> None:
    with pytest.raises(InvalidProject, match="from 0 to 100"):
        tidy_criteria([{"name": "a", "weight": weight}])


def test_something_must_count() -> None:
    with pytest.raises(InvalidProject, match="At least one"):
        tidy_criteria([{"name": "a", "weight": 0}, {"name": "b", "weight": 0}])
    assert tidy_criteria([{"name": "a", "weight": ""}]) == [{"name": "a", "description": ""}]


@pytest.mark.slow
def test_the_settings_page_keeps_weights_even_after_answers() -> None:
    cast = make_cast()
    project, manager = cast.project, browser(cast.manager)
    factories.judgment(factories.pair_item(project), factories.user(), "a")
    assert manager.post(SETTINGS, stored(project, **{"criteria-0-weight": "2.5"})).status_code == 302
    project.refresh_from_db()
    assert project.criteria[0]["weight"] == 2.5
    assert 'value="2.5"' in manager.get(SETTINGS).content.decode()
    assert manager.post(SETTINGS, stored(project, **{"criteria-0-weight": "-1"})).status_code == 422
    snapshot = snapshotting.create(project=project)
    manifest = json.loads((snapshotting.folder_of(snapshot) / "manifest.json").read_text())
    assert manifest["criteria_weights"] == {project.criterion_names[0]: 2.5}
