"""Handing a run over in the browser: asked for, watched, downloaded."""

import json
import os
import zipfile

import pytest

from rewardmodel.models import HandOver
from rewardmodel.services import handing_over, sending
from tests import factories
from tests.cast import make_cast
from tests.rewardmodel.test_runs_pages import FULL_METRICS
from tests.rewardmodel.worlds import run_folder

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def picture(page, name):
    """Kept where LOOK names a folder."""
    if folder := os.environ.get("LOOK"):
        page.locator("#hand-over").scroll_into_view_if_needed()
        page.screenshot(path=f"{folder}/{name}.png")


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "dark")])
def test_from_the_button_to_the_file(visit, monkeypatch, width, scheme, tmp_path):
    monkeypatch.setattr(sending, "wake_for_hand_over", lambda pk: True)
    monkeypatch.setattr(handing_over, "PROGRAM", "tests.rewardmodel.fake_handover")
    cast = make_cast()
    run = factories.run(cast.project, metrics=FULL_METRICS)
    (run_folder(run) / "ensemble").mkdir(parents=True)
    (run_folder(run) / "ensemble" / "ensemble.json").write_text("{}")
    (run_folder(run) / "play.json").write_text(json.dumps("succeed"))
    path = f"/p/{cast.project.slug}/models/{run.number}/"
    made = visit(cast.engineer, path, width=width, color_scheme=scheme)
    page = made.page
    picture(page, f"none-{width}")
    page.get_by_role("button", name="Hand over").click()
    page.get_by_text("Waiting for a training worker").wait_for()
    HandOver.objects.update(
        state=HandOver.State.RUNNING, progress={"phase": "learning", "done": 40, "total": 90}
    )
    page.get_by_text("40/90").wait_for()
    picture(page, f"running-{width}")
    HandOver.objects.update(state=HandOver.State.QUEUED)
    handing_over.execute(HandOver.objects.get().pk)
    link = page.get_by_role("link", name="Download as zip")
    link.wait_for()
    picture(page, f"ready-{width}")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    with page.expect_download() as download:
        link.click()
    download.value.save_as(tmp_path / "file.zip")
    assert zipfile.ZipFile(tmp_path / "file.zip").testzip() is None
    HandOver.objects.update(
        state=HandOver.State.FAILED, reason="The encoder in /models/x is of the type 'roberta'; only BERT."
    )
    page.reload()
    page.get_by_text("The hand-over failed.").wait_for()
    picture(page, f"failed-{width}")
    made.assert_clean()
