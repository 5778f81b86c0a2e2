"""Projects whose responses name the models that wrote them, judged."""

import numpy as np

from annotation.models.content import Prompt, Response
from annotation.models.project import Project
from annotation.models.quality import SoftLabel
from annotation.models.work import Item, ItemResponse
from tests import factories

STRENGTHS = {"atlas-70b": 1.1, "birch-34b": 0.5, "cedar-13b": 0.0, "delta-7b": -0.5, "ember-3b": -1.1}


def played_project(
    prompts: int = 60, *, strengths: dict[str, float] = STRENGTHS, seed: int = 0, **fields: object
) -> Project:
    """Two pairs of each prompt, three votes each by Davidson's model; the better models write longer.

    Labels are written as they are: nobody judged. Half of the prompts are of the category "law".
    """
    rng = np.random.default_rng(seed)
    of = factories.project(**fields)
    names = list(strengths)
    asked = Prompt.objects.bulk_create(
        Prompt(project=of, key=f"{seed}-{n:060}", messages=[{"role": "user", "content": f"Question {n}?"}],
               metadata={"category": "law" if n % 2 else "science"})
        for n in range(prompts)
    )  # fmt: skip
    chosen = [rng.choice(len(names), size=3, replace=False) for _ in asked]
    written = Response.objects.bulk_create(
        Response(
            prompt=prompt, key=f"{place:064}", text=_text(rng, strengths[names[model]]), model=names[model]
        )
        for prompt, models in zip(asked, chosen, strict=True)
        for place, model in enumerate(models)
    )
    pairs = [(written[3 * n], written[3 * n + other]) for n in range(prompts) for other in (1, 2)]
    items = Item.objects.bulk_create(
        Item(project=of, prompt=first.prompt, key=f"{n:064}", response_set=f"{n:064}", origin="imported",
             shuffle=0.5, slots_left=0)
        for n, (first, _) in enumerate(pairs)
    )  # fmt: skip
    ItemResponse.objects.bulk_create(
        ItemResponse(item=item, response=response, position=position)
        for item, pair in zip(items, pairs, strict=True)
        for position, response in enumerate(pair)
    )
    SoftLabel.objects.bulk_create(
        _label(of, item, pair, rng, strengths) for item, pair in zip(items, pairs, strict=True)
    )
    return of


def _text(rng: np.random.Generator, strength: float) -> str:
    words = int(rng.integers(12, 40) * np.exp(0.4 * strength))
    return "\n".join([*(["## Answer", "- **one**", "- two"] if rng.random() < 0.3 else []), "word " * words])


def _label(
    of: Project,
    item: Item,
    pair: tuple[Response, Response],
    rng: np.random.Generator,
    strengths: dict[str, float],
) -> SoftLabel:
    half = (strengths[pair[0].model] - strengths[pair[1].model]) / 2
    odds = np.exp([half, -half, -0.8])
    counts = rng.multinomial(3, odds / odds.sum()) / 3
    return SoftLabel(
        project=of, item=item, response_a=pair[0], response_b=pair[1], criterion=of.main_criterion,
        p_a=counts[0], p_b=counts[1], p_tie=counts[2], votes=3, effective_votes=3.0, method="shares",
    )  # fmt: skip
