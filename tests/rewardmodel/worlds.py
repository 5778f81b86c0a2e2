"""Projects that can be trained on, for the tests of this package."""

import json
from pathlib import Path

from django.conf import settings

from accounts.models import User
from annotation.models.project import Project
from annotation.services import snapshotting
from rewardmodel.models import TrainingRun
from tests import factories


def judged_project(pairs: int = 3) -> Project:
    """A project with a few judged pairs: enough for a snapshot, not for learning."""
    project = factories.project()
    people = [factories.user() for _ in range(2)]
    for number in range(pairs):
        item = factories.pair_item(project)
        for person in people:
            factories.judgment(item, person, "a" if number % 2 else "b")
    return project


def learnable_project(prompts: int = 12) -> Project:
    """Careful answers beat careless ones, so a model can learn something; three votes a pair."""
    project = factories.project(overlap=3)
    people: list[User] = [factories.user() for _ in range(3)]
    for number in range(prompts):
        prompt = factories.prompt(project, f"How do I look after plant number {number}?")
        good = [
            factories.response(prompt, f"Water plant {number} once a week. {extra}")
            for extra in ("Let the soil dry first.", "Give it morning light, and turn it every few days.")
        ]
        bad = [factories.response(prompt, text) for text in (f"idk lol {number}", f"{number} whatever!!")]
        for first, second, choices in (
            (good[0], bad[0], "aaa"),
            (bad[1], good[1], "bba"),
            (good[0], good[1], "aba" if number % 2 else "tie"),
        ):
            item = factories.pair_item(project, pair=(first, second))
            votes = [choices] * 2 if choices == "tie" else list(choices)
            for person, choice in zip(people, votes, strict=False):
                factories.judgment(item, person, choice)
    return project


def playing_run(project: Project, *acts: str) -> TrainingRun:
    """A queued run of which `fake_trainer` will make these acts, one for each attempt."""
    snapshot = snapshotting.create(project=project)
    (snapshotting.folder_of(snapshot) / "play.json").write_text(json.dumps(acts))
    return factories.run(
        project,
        state=TrainingRun.State.QUEUED,
        snapshot=snapshot,
        folder=f"runs/{project.slug}/{snapshot.number}-{Path(snapshot.folder).name}",
        config={"criterion": "overall", "seed": 0},
    )


def run_folder(run: TrainingRun) -> Path:
    return Path(settings.LAUREL_DATA_DIR) / run.folder
