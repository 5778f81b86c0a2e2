from dataclasses import replace

from annotation.interchange.records import (
    ItemRecord,
    Message,
    ResponseRecord,
    item_key,
    prompt_json,
    prompt_key,
    response_key,
    response_keys,
)

ASK = (Message("user", "Why is the sky blue?"),)


def item(*responses: ResponseRecord, **fields: object) -> ItemRecord:
    return ItemRecord(prompt=ASK, responses=responses, **fields)


def test_prompt_key_depends_on_roles_and_turn_borders() -> None:
    variants = [
        ASK,
        (Message("system", "Why is the sky blue?"),),
        (Message("user", "Why is"), Message("user", " the sky blue?")),
        (Message("user", "Why is the sky blue? "),),
    ]
    assert len({prompt_key(prompt) for prompt in variants}) == 4
    assert prompt_key(ASK) == prompt_key((Message("user", "Why is the sky blue?"),))


def test_prompt_key_is_stable_across_releases() -> None:
    assert prompt_key(ASK) == "bb2fa35c2ccd062e9f6868d006a59e320a9f2e87038183ff3b9a0010bda5c1c3"


def test_same_text_with_two_ids_stays_two() -> None:
    one, two = response_keys(
        item(ResponseRecord("Scattering.", id="1"), ResponseRecord("Scattering.", id="2"))
    )
    assert one != two


def test_an_id_identifies_a_response_whatever_its_text() -> None:
    assert response_key("p", ResponseRecord("old", id="1")) == response_key(
        "p", ResponseRecord("new", id="1")
    )


def test_an_id_never_collides_with_a_text() -> None:
    assert response_key("p", ResponseRecord("x", id="y")) != response_key("p", ResponseRecord("y"))
    assert item_key(item(id="x")) != item_key(item(ResponseRecord("x")))
    by_content = item(ResponseRecord("x"), ResponseRecord("y"))
    assert item_key(replace(by_content, id=item_key(by_content))) != item_key(by_content)


def test_a_text_is_another_response_under_another_prompt_or_model() -> None:
    same = ResponseRecord("Scattering.")
    assert response_key("p", same) != response_key("q", same)
    assert response_key("p", same) != response_key("p", replace(same, model="m"))
    assert response_key("p", same) == response_key("p", replace(same, metadata={"temperature": 1}))


def test_item_without_id_is_its_set_of_responses() -> None:
    a, b, c = ResponseRecord("a"), ResponseRecord("b", id="2"), ResponseRecord("c")
    assert item_key(item(a, b)) == item_key(item(b, a))
    assert item_key(item(a, b)) != item_key(item(a, c))
    assert item_key(item(a, b)) != item_key(item(a, b, c))
    assert item_key(item(a, b, id="i")) == item_key(item(a, c, id="i"))


def test_prompt_json_is_canonical() -> None:
    assert prompt_json((Message("user", "é"),)) == '[{"role":"user","content":"é"}]'
