"""What goes into a snapshot: responses, soft labels and the answers behind them, and what stays out."""

from collections.abc import Iterator
from typing import Any, cast

from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import Exists, F, Min, OuterRef, QuerySet, Subquery, TextField, Value
from django.db.models.fields.json import KeyTextTransform
from django.db.models.functions import Coalesce, NullIf

from annotation.interchange.records import Kind, Message, prompt_json
from annotation.interchange.snapshot_answers import AnswerRow
from annotation.interchange.snapshot_rows import Origin, PreferenceRow, ResponseRow
from annotation.models.content import Response
from annotation.models.project import Project
from annotation.models.quality import AggregationFit, SoftLabel
from annotation.models.standing import Standing
from annotation.models.work import Answer, Item, ItemResponse, Judgment
from annotation.services import fitting

CHUNK = 2_000
_ORIGINS: dict[str, Origin] = {"imported": "imported", "random": "audit", "selected": "selected"}


def responses(project: Project) -> Iterator[ResponseRow]:
    """Every response of the project, judged or not, with the category of its prompt."""
    rows = (
        Response.objects.filter(prompt__project=project)
        .select_related("prompt")
        .annotate(category=_category())
        .order_by("prompt_id", "pk")
    )
    for row in rows.iterator(chunk_size=CHUNK):
        turns = [Message(role=turn["role"], content=turn["content"]) for turn in row.prompt.messages]
        yield ResponseRow(
            prompt_id=str(row.prompt_id),
            response_id=str(row.pk),
            prompt=prompt_json(turns),
            text=row.text,
            model=row.model or None,
            category=row.category,
        )


def _category() -> Coalesce:
    """What annotators see as the category: that of the prompt's work items (the first in the alphabet, should
    they part), else its own."""
    text = TextField()
    of_items = (
        Item.objects.filter(prompt=OuterRef("prompt"), is_gold=False)
        .values("prompt")  # grouped: "the first by number" would have the planner walk through all items
        .annotate(named=Min(NullIf(KeyTextTransform("category", "metadata"), Value(""), output_field=text)))
        .values("named")
    )
    of_prompt = NullIf(KeyTextTransform("category", "prompt__metadata"), Value(""), output_field=text)
    return Coalesce(Subquery(of_items, output_field=text), of_prompt, output_field=text)


def preferences(project: Project) -> Iterator[PreferenceRow]:
    """Every soft label."""
    rows = SoftLabel.objects.filter(project=project).select_related("item").order_by("pk")
    for row in rows.iterator(chunk_size=CHUNK):
        yield PreferenceRow(
            pair_id=_pair_id(project, row),
            prompt_id=str(row.item.prompt_id),
            response_a=str(row.response_a_id),
            response_b=str(row.response_b_id),
            criterion=row.criterion,
            p_a=row.p_a,
            p_tie=row.p_tie,
            p_b=row.p_b,
            votes=row.votes,
            effective_votes=row.effective_votes,
            method=row.method,
            origin=_ORIGINS[row.item.origin],
        )


def _pair_id(project: Project, label: SoftLabel) -> str:
    """The item's, where it is one pair; else the item's with its two responses, unique in the project."""
    if project.kind == Project.Kind.PAIRWISE:
        return str(label.item_id)
    return f"{label.item_id}:{label.response_a_id}-{label.response_b_id}"


def answers(project: Project) -> Iterator[AnswerRow]:
    """Every answer that counts, to prompts of which something is compared, with for how many votes: as the
    soft labels weigh it."""
    skills = {
        fit.criterion: fitting.skills(fit)
        for fit in AggregationFit.objects.filter(project=project, method=project.aggregation)
    }
    labels = SoftLabel.objects.filter(project=project)
    compared = set(labels.values_list("item__prompt_id", flat=True).distinct().order_by())
    rows = (
        _counted(project)
        .annotate(
            item_id=F("judgment__item_id"),
            prompt_id=F("judgment__item__prompt_id"),
            annotator_id=F("judgment__annotator_id"),
            source=F("judgment__source"),
            responses=ArraySubquery(
                ItemResponse.objects.filter(item=OuterRef("judgment__item"))
                .order_by("position")
                .values("response_id")
            ),
        )
        .order_by("pk")
    )
    for row in rows.iterator(chunk_size=CHUNK):
        if row.prompt_id in compared:
            yield _answer(project, row, skills.get(row.criterion, {}))


def _answer(project: Project, row: Any, skill: dict[int, float]) -> AnswerRow:
    expert = row.source == Judgment.Source.EXPERT
    learned = skill.get(-row.annotator_id if expert else row.annotator_id, skill.get(0, 1.0))
    return AnswerRow(
        prompt_id=str(row.prompt_id),
        item_id=str(row.item_id),
        annotator=f"{'expert' if expert else 'annotator'}-{row.annotator_id}",
        criterion=row.criterion,
        kind=cast(Kind, project.kind),
        responses=[str(one) for one in row.responses],
        choice=row.choice or None,
        strength=row.strength,
        ranks=row.ranks,
        ratings=row.ratings,
        points=project.rating_points if row.ratings is not None else None,
        weight=learned * (project.expert_weight if expert else 1),
    )


def _counted(project: Project) -> QuerySet[Answer]:
    """Standing answers to work items by people who are neither paused nor excluded; criteria that the
    project has given up have no label either."""
    return Answer.objects.filter(
        judgment__live=True,
        judgment__item__project=project,
        judgment__item__is_gold=False,
        criterion__in=project.criterion_names,
    ).exclude(judgment__annotator_id__in=_idle(project))


def _idle(project: Project) -> QuerySet[Standing, int]:
    idle = Standing.objects.filter(project=project).exclude(state=Standing.State.ACTIVE)
    return idle.values_list("annotator_id", flat=True)


def left_out(project: Project) -> dict[str, int]:
    """What a snapshot does not hold, by reason. Judgments that were superseded are counted once each."""
    judgments = Judgment.objects.filter(item__project=project)
    judged = Exists(Judgment.objects.filter(item=OuterRef("pk"), live=True))
    items = Item.objects.filter(project=project, is_gold=False)
    counts = {
        "judgments on gold items": judgments.filter(item__is_gold=True, live=True).count(),
        "judgments superseded or taken back": judgments.filter(live=False, repeat=False).count(),
        "answers to silent repeats": judgments.filter(repeat=True).count(),
        "judgments of paused or excluded people": judgments.filter(
            live=True, item__is_gold=False, annotator_id__in=_idle(project)
        ).count(),
        "items without a judgment": items.filter(~judged).count(),
        "items of one response, which is compared with none": items.filter(
            judged, soft_labels__isnull=True
        ).count(),
    }
    return {reason: count for reason, count in counts.items() if count}
