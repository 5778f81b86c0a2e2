"""The report of each criterion on the page of its run, what the run started from, what was checked before."""

import json
import re

import pytest

from rewardmodel.pages import comparison as comparison_page
from rewardmodel.pages import criteria as criteria_page
from rewardmodel.pages import preflight as preflight_page
from rewardmodel.services import sending
from tests.cast import browser, make_cast
from tests.rewardmodel.criteria_runs import PREFLIGHT, finetuned, part, several
from tests.rewardmodel.test_runs_pages import trained, url
from tests.rewardmodel.worlds import run_folder

pytestmark = pytest.mark.django_db


@pytest.fixture
def cast():
    return make_cast()


@pytest.fixture(autouse=True)
def sent(monkeypatch):
    monkeypatch.setattr(sending, "wake_trainer", lambda run_id: True)


def rows(page):
    """The table of the criteria: the text of its cells."""
    table = re.search(r'id="wrap-criteria".*?</table>', page, re.S).group()
    lines = re.findall(r"<tr.*?</tr>", table, re.S)[1:]
    return [[re.sub("<.*?>", "", cell) for cell in re.findall(r"<t[hd].*?</t[hd]>", line)] for line in lines]


@pytest.mark.slow
def test_all_criteria_stand_side_by_side_and_each_has_its_report(cast, django_assert_num_queries):
    several(cast.project)
    client, address = browser(cast.engineer), url("run", cast.project, 1)
    with django_assert_num_queries(6):
        page = client.get(address).content.decode()
    assert [row[:3] for row in rows(page)] == [
        ["Overall", "–", "0.770 (0.720 to 0.820)"],
        ["helpfulness", "75 %", "0.810 (0.760 to 0.860)"],
        ["&lt;b&gt;tone&lt;/b&gt;", "25 %", "0.620 (0.570 to 0.670)"],
        ["style", "0 %", "0.550 (0.500 to 0.600)"],
    ]
    assert rows(page)[0][3:] == ["0.650", "0.900", "0.021", "0.780"]
    assert '<dd class="stat__value">0.770' in page
    assert "<b>tone" not in page
    assert "style=" not in page
    for link in re.findall(r'href="(\?criterion[^"]*)"', page):
        shown = client.get(address + link).content.decode()
        name = "0.810" if "helpfulness" in link else "0.620" if "tone" in link else "0.550"
        assert f'<dd class="stat__value">{name}' in shown
        assert f'href="{link}" aria-current="true"' in shown
        assert rows(shown) == rows(page)
    assert client.get(address + "?criterion=none").content.decode().count("0.770") == page.count("0.770")


def test_runs_side_by_side_compare_the_criteria_that_two_of_them_learned(cast):
    several(cast.project)
    other = several(cast.project)
    other.metrics["criteria"] = {"helpfulness": part("helpfulness", 0.9), "brief": part("brief", 0.5)}
    other.save()
    found = comparison_page.page_of([*cast.project.training_runs.order_by("number"), trained(cast.project)])
    assert [line.label for line in found.criteria] == [
        "helpfulness: Accuracy", "helpfulness: Log-loss per vote", "helpfulness: Calibration error",
    ]  # fmt: skip
    assert found.criteria[0].values == ("0.810 (0.760 to 0.860)", "0.900 (0.850 to 0.950)", "–")
    shown = browser(cast.engineer).get(url("compare", cast.project), {"run": [1, 2]}).content.decode()
    assert "helpfulness: Accuracy" in shown
    alone = browser(cast.engineer).get(url("compare", cast.project), {"run": [1, 3]}).content.decode()
    assert "By criterion" not in alone


def test_a_run_of_one_criterion_has_no_switch_and_says_what_it_started_from(cast):
    run, client = trained(cast.project), browser(cast.engineer)
    page = client.get(url("run", cast.project, 1)).content.decode()
    assert "wrap-criteria" not in page
    assert "Started from" not in page  # of an earlier version
    run.metrics = part("overall", 0.7)
    run.metrics["training"]["started_from"] = "the ensemble in use, which knew 5 of 9 prompts"
    run.save()
    page = client.get(url("run", cast.project, 1)).content.decode()
    assert "wrap-criteria" not in page
    assert "<dt>Started from</dt><dd>the ensemble in use, which knew 5 of 9 prompts" in page
    assert "Checked before training" not in page


def test_what_stands_for_an_overall_that_was_not_tested_is_said() -> None:
    why = {"tested": False, "why": "the criteria have too few pairs in common to test their weighted overall"}
    parts = {name: part(name, 0.7) for name in ("tone", "style")}
    metrics = {**part("tone", 0.7), "weights": {"tone": 0.5, "style": 0.5}, "overall": why, "criteria": parts}
    found = criteria_page.criteria(metrics, "")
    assert found is not None
    assert [(one.option.label, one.option.chosen, one.weight) for one in found.lines] == [
        ("tone", True, "50 %"), ("style", False, "50 %"),
    ]  # fmt: skip
    assert "too few pairs in common" in found.untested
    alone = {**metrics, "overall": {}, "weights": {}}
    found = criteria_page.criteria(alone, "style")
    assert found is not None
    assert [one.weight for one in found.lines] == ["100 %", "0 %"]
    assert [one.option.chosen for one in found.lines] == [False, True]
    assert found.untested == ""


def test_a_fine_tuned_run_says_what_was_checked_before_it(cast):
    run, client = finetuned(cast.project), browser(cast.engineer)
    page = client.get(url("run", cast.project, 1)).content.decode()
    for words in ("Checked before training", "118", "12,345 tokens", "a response of more than 64 tokens",
                  "r1 | r2, &lt;b&gt;r3&lt;/b&gt; | r1 | r4", "6,208 parameters", "10.0\xa0MB",
                  "8.0\xa0GB free on cpu", "3e-06", "0.0001 is allowed",
                  "every response ends with &lt;eos&gt;"):  # fmt: skip
        assert words in page, words
    kept = {**PREFLIGHT["rows"], "dropped": []}
    (run_folder(run) / "preflight.json").write_text(json.dumps({**PREFLIGHT, "rows": kept}))
    found = preflight_page.preflight(run_folder(run))
    assert found.facts[1].note == "1 longer response is in no pair trained on"
    kept |= {
        "too_long_responses": {},
        "dropped": [{"kind": "pairs", "responses": [str(n), "x"]} for n in range(70)],
    }
    (run_folder(run) / "preflight.json").write_text(json.dumps({**PREFLIGHT, "rows": kept}))
    found = preflight_page.preflight(run_folder(run))
    assert (found.facts[1].value, len(found.dropped), found.more) == ("70", 50, 20)
    for broken in ("{", "[]", '{"rows": {}}'):
        (run_folder(run) / "preflight.json").write_text(broken)
        page = client.get(url("run", cast.project, 1))
        assert page.status_code == 200
        assert "Checked before training" not in page.content.decode()
