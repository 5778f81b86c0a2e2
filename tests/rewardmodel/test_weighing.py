"""The word of the model in use on what people have judged."""

from datetime import timedelta

import numpy as np
import pytest
from django.utils import timezone
from scipy.spatial.distance import jensenshannon

from annotation import review_selectors
from annotation.aggregation.odds import divergence
from annotation.models.content import Response
from annotation.models.project import Project
from annotation.models.review import ModelOdds
from annotation.services import aggregating
from rewardmodel.models import Ensemble
from rewardmodel.services import promoting, scoring, weighing
from rewardmodel.tasks import weigh
from tests import factories
from tests.activelearning.scored import score_by
from tests.annotation.reviewed import labelled

pytestmark = pytest.mark.django_db


@pytest.fixture
def project() -> Project:
    return factories.project("harbour")


@pytest.fixture
def ensemble(project: Project) -> Ensemble:
    return factories.ensemble(factories.run(project))


def prefer(text: str, monkeypatch: pytest.MonkeyPatch, by: float = 3.0) -> list[int]:
    """A model to which the response with this text is better."""

    def rewards(response: Response, _: np.random.Generator) -> np.ndarray:
        return np.full(8, by if response.text == text else 0.0)

    return score_by(monkeypatch, rewards)


def test_the_divergence_is_that_of_scipy_where_the_sides_differ() -> None:
    rng = np.random.default_rng(7)
    people, model = rng.dirichlet(np.ones(3), 500), rng.dirichlet(np.ones(3), 500)

    def side(p: np.ndarray) -> int:
        return int(p[0] > max(p[1:])) - int(p[2] > max(p[:2]))

    expected = [
        jensenshannon(p, m, base=2) ** 2 if side(p) != side(m) else 0.0
        for p, m in zip(people, model, strict=True)
    ]
    assert divergence(people, model) == pytest.approx(expected, abs=1e-12)
    swapped = divergence(people[:, ::-1], model[:, ::-1])
    assert swapped == pytest.approx(expected, abs=1e-12)


def test_the_queue_knows_where_the_model_is_at_odds(
    project: Project, ensemble: Ensemble, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = labelled(project, "aaa", "bbb")
    prefer(str(first.item_responses.get(position=1).response.text), monkeypatch)
    assert weighing.weigh(ensemble=ensemble) >= 1
    half = 3 / 2
    powers = np.exp([half, -1.0, -half])  # b, tie, a; τ is −1
    row = ModelOdds.objects.get(item=first)
    assert (row.p_b, row.p_tie, row.p_a) == pytest.approx(tuple(powers / powers.sum()), abs=1e-6)
    found = {one.item_id: one for one in review_selectors.queue(project).rows}
    stored = dict(ModelOdds.objects.values_list("item", "odds"))
    assert {first.pk, second.pk} == set(found)  # to the second it says nothing, and people say B
    for pk, one in found.items():
        assert one.odds == pytest.approx(stored[pk], abs=1e-9)  # SQL and numpy reckon the same


def test_it_is_asked_once_and_again_when_there_is_something_new(
    project: Project, ensemble: Ensemble, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = prefer("nothing", monkeypatch)
    assert weigh() == 0  # nothing is labelled
    labelled(project, "aaa")
    assert weigh() == 1
    assert weigh() == 0
    (item,) = labelled(project, "aab")
    assert weigh() == 0  # not at once
    ModelOdds.objects.update(weighed_at=timezone.now() - timedelta(hours=2))
    assert weigh() == 1
    assert ModelOdds.objects.filter(item=item).exists()
    assert calls == [2, 4]


def test_another_ensemble_has_another_word(
    project: Project, ensemble: Ensemble, monkeypatch: pytest.MonkeyPatch, settings: object, tmp_path: object
) -> None:
    settings.LAUREL_DATA_DIR = tmp_path  # type: ignore[attr-defined]
    calls = prefer("nothing", monkeypatch)
    labelled(project, "aaa")
    assert weigh() == 1
    run = factories.run(project)
    folder = scoring.ensemble_folder(run)
    folder.mkdir(parents=True)
    (folder / "ensemble.json").write_text("{}")
    promoting.promote(run=run)
    assert not ModelOdds.objects.exists()
    assert weigh() == 1
    assert len(calls) == 2


def test_a_model_that_cannot_score_holds_nothing_up(
    project: Project, ensemble: Ensemble, monkeypatch: pytest.MonkeyPatch
) -> None:
    labelled(project, "aaa")

    def fail(**_: object) -> None:
        raise scoring.ScoringFailed("its files are gone")

    monkeypatch.setattr(scoring, "score", fail)
    assert weigh() == 1
    assert not ModelOdds.objects.exists()


def test_without_ties_the_model_has_none_either(
    project: Project, ensemble: Ensemble, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.ties = project.both_bad = False
    project.save()
    prefer("nothing", monkeypatch)
    labelled(project, "aaa")
    weighing.weigh(ensemble=Ensemble.objects.get())
    row = ModelOdds.objects.get()
    assert (row.p_a, row.p_tie, row.p_b) == pytest.approx((0.5, 0.0, 0.5))
    aggregating.rebuild(project=project)


def test_what_is_said_names_its_ensemble(
    project: Project, ensemble: Ensemble, monkeypatch: pytest.MonkeyPatch
) -> None:
    labelled(project, "aaa")
    prefer("", monkeypatch)
    weighing.weigh(ensemble=ensemble)
    said = set(ModelOdds.objects.values_list("source", flat=True))
    assert said == {f"run {ensemble.run.number}"}


def test_an_ensemble_that_was_replaced_while_it_was_asked_says_nothing(
    project: Project, ensemble: Ensemble, monkeypatch: pytest.MonkeyPatch
) -> None:
    labelled(project, "aaa")
    prefer("", monkeypatch)
    Ensemble.objects.filter(pk=ensemble.pk).update(active=False)
    assert weighing.weigh(ensemble=ensemble) == 0
    assert not ModelOdds.objects.exists()
