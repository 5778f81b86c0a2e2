"""The tables of README.md, from the .csv files: `python -m benchmarks.active.tables` rewrites them."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

HERE = Path(__file__).resolve().parent
START, END = "<!-- python -m benchmarks.active.tables -->\n", "<!-- end -->\n"
ENCODER, LEXICAL = "the product's features", "TF-IDF/LSA features"
SPLITS = ("seen responses", "unseen responses", "unseen prompts")
FEW = ("Laurel: regret", "Laurel: regret, deployment known", "I-optimal", "BAL-PM-like", "textbook 50/30/20")
MEASURES = ("ratio at 500", "at 1,000", "at 2,000", "at 1,000 by loss", "ΔAULC, points")

Row = dict[str, str]


def main() -> None:
    readme = HERE / "README.md"
    readme.write_text(with_tables(readme.read_text()))


def with_tables(text: str) -> str:
    """The text with the tables as the files have them now."""
    before, rest = text.split(START)
    return before + START + "\n".join(lines()) + "\n" + END + rest.split(END)[1]


def lines() -> Iterator[str]:
    ratios, areas = _read("ratios.csv"), _read("areas.csv")
    for split in SPLITS:
        yield from ("", f"### UKPConvArg1, {split}, {ENCODER}", "")
        yield from _head("arm", *MEASURES, "ties", "seconds a round")
        for area in _of(areas, data="pairs", features="encoder", split=split, measure="accuracy"):
            seconds = f"{float(area['seconds_a_round']):.2f}"
            yield _row(_name(area), *_four(ratios, area), _gain(area), _short(area["ties"]), seconds)
    yield from ("", f"### UKPConvArg1, {LEXICAL}", "")
    yield from _head("split", "arm", *MEASURES)
    for split in SPLITS:
        for area in _of(areas, data="pairs", features="lexical", split=split, measure="accuracy"):
            if area["arm"] in FEW:
                yield _row(split, _name(area), *_four(ratios, area), _gain(area))
    yield from ("", "### PandaLM (999 pairs of 170 prompts), unseen prompts", "")
    yield from _head("features", "arm", "ratio at 500", "at 500 by loss", "ΔAULC, points")
    for features, named in (("encoder", "the product's"), ("lexical", "TF-IDF/LSA")):
        for area in _of(
            areas, data="testset-v1", features=features, split="unseen prompts", measure="accuracy"
        ):
            if area["arm"] in FEW:
                found = (_ratio(ratios, area, measure, "500") for measure in ("accuracy", "nll"))
                yield _row(named, _name(area), *found, _gain(area))
    yield ""


@cache
def _read(name: str) -> list[Row]:
    with (HERE / name).open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def _of(rows: Iterable[Row], **wanted: str) -> list[Row]:
    return [row for row in rows if all(row[key] == value for key, value in wanted.items())]


def _head(*cells: str) -> tuple[str, str]:
    return _row(*cells), "|" + "---|" * len(cells)


def _row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


def _name(area: Row) -> str:
    return f"**{area['arm']}**" if area["arm"].startswith("Laurel") else area["arm"]


def _four(ratios: list[Row], area: Row) -> Iterator[str]:
    for measure, at in (("accuracy", "500"), ("accuracy", "1000"), ("accuracy", "2000"), ("nll", "1000")):
        yield _ratio(ratios, area, measure, at)


def _ratio(ratios: list[Row], area: Row, measure: str, at: str) -> str:
    """.60 [.54, .67]; >1.20 [1.17, 1.20] where the mean curve never gets there and counts as its end."""
    same = {key: area[key] for key in ("data", "features", "split", "arm")}
    (row,) = _of(ratios, **same, measure=measure, at=at)
    last = max(int(point["labels"]) for point in _of(_read("curves.csv"), **same)) / int(at)
    value, low, high = (_short(row[key]) for key in ("ratio", "low", "high"))
    return f"{'>' if row['ratio'] == f'{last:.3f}' else ''}{value} [{low}, {high}]"


def _gain(area: Row) -> str:
    value, low, high = (_signed(float(area[key])) for key in ("gain", "low", "high"))
    return f"{value} [{low}, {high}]"


def _signed(value: float) -> str:
    return f"{value:+.2f}".replace("0.", ".", 1).replace("-", "−")


def _short(value: str) -> str:
    text = f"{float(value):.2f}"
    return text[1:] if text.startswith("0") else text


if __name__ == "__main__":
    main()
