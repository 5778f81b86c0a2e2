"""A file of qualities: read whole, or refused with the line that is wrong."""

from pathlib import Path

import pytest

from annotation.interchange.qualities import BadQualities, read_qualities


def test_other_columns_are_passed_over(tmp_path: Path) -> None:
    file = tmp_path / "truth.csv"
    file.write_text('\ufeffid,note,quality\n"a,1",x,-0.5\nb,y,2\n', encoding="utf-8")
    assert read_qualities(file) == {"a,1": -0.5, "b": 2.0}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("name,quality\n", "no column “id”"),
        ("", "no column “id”"),
        ("id,quality\na,1\na,2\n", "line 3: “a” is there a second time"),
        ("id,quality\n,1\n", "line 2: the id is empty"),
        ("id,quality\na,nan\n", "line 2: “nan” is no number"),
        ("id,quality\na\n", "line 2: “” is no number"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "truth.csv"
    file.write_text(text)
    with pytest.raises(BadQualities, match=said):
        read_qualities(file)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(BadQualities, match=r"none\.csv cannot be read"):
        read_qualities(tmp_path / "none.csv")
