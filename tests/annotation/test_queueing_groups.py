"""Groups of responses become items as pairs do: once each, whatever their order."""

import pytest

from annotation.models.project import Project
from annotation.models.work import Item
from annotation.services import assigning, items, slots
from annotation.services.items import UnfitGroup, UnfitVotes
from tests import factories
from tests.annotation.import_rows import bring, row

pytestmark = pytest.mark.django_db


@pytest.fixture
def project() -> Project:
    return factories.project(kind="ranking", overlap=2)


def group_of(project: Project, count: int = 4) -> list[int]:
    return [one.pk for one in factories.responses(factories.prompt(project), count)]


def queue(project: Project, *groups: list[int], priority: int = 3, votes: int | None = None) -> list[Item]:
    origins = [Item.Origin.SELECTED] * len(groups)
    overlaps = [votes] * len(groups)
    return items.queue_groups(
        project=project, groups=groups, priority=priority, origins=origins, overlaps=overlaps
    )


def test_a_group_is_an_item_once_whatever_its_order(project: Project) -> None:
    group, other = group_of(project), group_of(project, 3)
    first, second = queue(project, group, other)
    assert [place.response_id for place in first.item_responses.all()] == group
    assert (first.origin, first.priority, first.slots_left, second.slots_left) == ("selected", 3, 2, 2)
    again, part = queue(project, group[::-1], group[:3], priority=5)
    assert again.pk == first.pk
    assert part.pk not in (first.pk, second.pk)
    assert Item.objects.get(pk=first.pk).priority == 5
    assert Item.objects.filter(project=project).count() == 3
    assert slots.wrong_slots(project) == []


def test_an_imported_ranking_keeps_its_row_and_comes_to_want_more_votes(project: Project) -> None:
    assert bring(project, row(1, responses=[{"text": f"Answer {n}."} for n in range(4)])).applied
    (imported,) = Item.objects.filter(project=project)
    factories.pair_item(project)  # other work
    ids = sorted(imported.responses.values_list("pk", flat=True), reverse=True)
    (queued,) = queue(project, ids, priority=9, votes=4)
    assert queued.pk == imported.pk
    assert Item.objects.get(pk=imported.pk).origin == "imported"
    assert Item.objects.get(pk=imported.pk).slots_left == 4
    claimed = assigning.claim(project=project, annotator=factories.user())
    assert claimed is not None
    assert claimed.item_id == imported.pk
    assert sorted(claimed.display_order) == [0, 1, 2, 3]


def test_what_cannot_be_compared_is_refused(project: Project) -> None:
    group, other = group_of(project), group_of(project)
    elsewhere = group_of(factories.project(kind="ranking"))
    for wrong, words in (
        ([*group[:2], other[0]], "of one prompt"),
        ([group[0], group[1], group[0]], "each once"),
        ([group[0]], "compares 2 to 8"),
        (group_of(project, 9), "compares 2 to 8"),
        (elsewhere, "is not in project"),
    ):
        with pytest.raises(UnfitGroup, match=words):
            queue(project, wrong)
    with pytest.raises(UnfitVotes):
        queue(project, group, votes=0)
    with pytest.raises(UnfitGroup, match="compares 2 to 2"):
        queue(factories.project(), group)
    assert not Item.objects.filter(project=project).exists()
