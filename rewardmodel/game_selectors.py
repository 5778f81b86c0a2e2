"""Reads for the leaderboard: who wrote what was compared, and how it looks. Straight into arrays."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from django.db import connection
from django.db.models import Count, Max

from annotation import bulk_reads
from annotation.models.content import Response
from annotation.models.project import Project
from annotation.models.quality import SoftLabel
from rewardmodel.evaluation import style

Stamp = tuple[int, str]

_MODELS = """
    SELECT r.model FROM annotation_response r JOIN annotation_prompt p ON p.id = r.prompt_id
    WHERE p.project_id = %s AND r.model <> '' GROUP BY r.model ORDER BY r.model
"""
_CATEGORY = "coalesce(nullif(i.metadata ->> 'category', ''), p.metadata ->> 'category', '')"
_CATEGORIES = f"""
    SELECT DISTINCT {_CATEGORY} FROM annotation_item i JOIN annotation_prompt p ON p.id = i.prompt_id
    WHERE i.project_id = %s AND NOT i.is_gold ORDER BY 1
"""  # noqa: S608  texts of our own
_PAIRS = f"""
    SELECT l.response_a_id AS response_a, l.response_b_id AS response_b, i.prompt_id AS prompt,
           coalesce(a.place, 0) AS model_a, coalesce(b.place, 0) AS model_b, c.place AS category,
           l.p_a, l.p_b, l.p_tie, l.effective_votes AS weight
    FROM annotation_softlabel l
    JOIN annotation_item i ON i.id = l.item_id
    JOIN annotation_prompt p ON p.id = i.prompt_id
    JOIN annotation_response ra ON ra.id = l.response_a_id
    JOIN annotation_response rb ON rb.id = l.response_b_id
    JOIN unnest(%(categories)s::text[]) WITH ORDINALITY c(name, place) ON c.name = {_CATEGORY}
    LEFT JOIN unnest(%(models)s::text[]) WITH ORDINALITY a(name, place) ON a.name = ra.model
    LEFT JOIN unnest(%(models)s::text[]) WITH ORDINALITY b(name, place) ON b.name = rb.model
    WHERE l.project_id = %(project)s AND l.criterion = %(criterion)s
"""  # noqa: S608  texts of our own
_COLUMNS: dict[str, bulk_reads.Kind] = {
    **dict.fromkeys(("response_a", "response_b", "prompt", "model_a", "model_b", "category"), "bigint"),
    **dict.fromkeys(("p_a", "p_b", "p_tie", "weight"), "float8"),
}
AT_ONCE = 5_000


@dataclass(frozen=True, eq=False)
class JudgedPairs:
    """m labelled pairs of one criterion. Models and categories are places from 0; -1: no model is named."""

    models: tuple[str, ...]
    categories: tuple[str, ...]  # "" is none
    response_a: npt.NDArray[np.int64]  # (m,) ids
    response_b: npt.NDArray[np.int64]
    prompt: npt.NDArray[np.int64]  # (m,) ids
    model_a: npt.NDArray[np.int64]
    model_b: npt.NDArray[np.int64]
    category: npt.NDArray[np.int64]
    shares: npt.NDArray[np.float64]  # (m, 3) over (A, B, tie)
    weight: npt.NDArray[np.float64]  # (m,) effective votes


def stamp_of(project: Project, criterion: str) -> Stamp:
    """Another one as soon as a label is another."""
    labels = SoftLabel.objects.filter(project=project, criterion=criterion)
    found = labels.aggregate(count=Count("pk"), at=Max("updated_at"))
    return found["count"], str(found["at"])


def judged_pairs(project: Project, criterion: str) -> JudgedPairs:
    models, categories = _names(_MODELS, project), _names(_CATEGORIES, project)
    values = {"project": project.pk, "criterion": criterion, "models": models, "categories": categories}
    found = bulk_reads.read(_PAIRS, values, _COLUMNS)
    return JudgedPairs(
        models=tuple(models),
        categories=tuple(categories),
        response_a=found["response_a"],
        response_b=found["response_b"],
        prompt=found["prompt"],
        model_a=found["model_a"] - 1,
        model_b=found["model_b"] - 1,
        category=found["category"] - 1,
        shares=np.stack([found["p_a"], found["p_b"], found["p_tie"]], axis=1),
        weight=found["weight"],
    )


def styles_of(project: Project, wanted: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """The style (n, 5) of responses with these ascending ids (n,); see evaluation.style."""
    found = np.zeros((len(wanted), len(style.FEATURES)))
    texts = Response.objects.filter(prompt__project=project).exclude(model="").values_list("pk", "text")
    known = set(wanted.tolist())
    for pk, text in texts.iterator(chunk_size=AT_ONCE):
        if pk in known:
            found[np.searchsorted(wanted, pk)] = style.features(text)
    return found


def _names(query: str, project: Project) -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute(query, [project.pk])
        return [row[0] for row in cursor.fetchall()]
