"""Groups of annotators, given on the people page."""

from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from accounts.models import Membership, Role
from tests import factories
from tests.cast import make_cast, member
from tests.e2e.conftest import Visit

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.parametrize("width", [1280, 390])
def test_a_group_is_typed_kept_and_offered_to_the_next(visit: Callable[..., Visit], width: int) -> None:
    cast = make_cast()
    Membership.objects.filter(user=cast.reviewer).update(group="teachers")
    member(factories.user(), cast.project, Role.ANNOTATOR)
    seen = visit(cast.manager, "/p/harbour/people/", width=width)
    page = seen.page
    field = page.get_by_label("Group of annotator")
    assert field.bounding_box()["width"] >= 100  # type: ignore[index]
    field.fill("students")
    field.press("Enter")
    expect(page.get_by_text("annotator is now in the group “students”.")).to_be_visible()
    expect(page.get_by_label("Group of annotator")).to_have_value("students")
    offered = page.locator("#groups option").evaluate_all("options => options.map(one => one.value)")
    assert offered == ["students", "teachers"]
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert seen.complaints == []
