"""Pages as a browser sees them, and small worlds of answers."""

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np

from avpipe.report import ScoredAnswer

VOID = {"meta", "img", "input", "br", "link"}


class Page(HTMLParser):
    """Tags, attributes and text of a page; fails where a tag is closed that was not opened."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.source = path.read_text(encoding="utf-8")
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.open: list[str] = []
        self.feed(self.source)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        assert len({name for name, _ in attrs}) == len(attrs)
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.texts.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.texts).split())

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]

    def outside(self) -> list[str]:
        """References to anything that is not in the page."""
        found = [
            value
            for _, attributes in self.tags
            for name, value in attributes.items()
            if name in ("src", "href", "xlink:href", "srcset", "action", "data", "poster")
            and not str(value).startswith(("#", "data:"))
        ]
        styles = re.findall(r"url\(\s*[\"']?([^)]*)|@import", self.source)
        return found + [style for style in styles if not style.startswith(("#", "data:"))]

    def check(self) -> None:
        """What holds for every page."""
        assert self.outside() == []
        ids = [attributes["id"] for _, attributes in self.tags if "id" in attributes]
        assert len(ids) == len(set(ids))
        anchors = {str(attributes.get("href"))[1:] for name, attributes in self.tags if name in ("a", "use")}
        clips = set(re.findall(r"url\(#([^)]+)\)", self.source))
        assert anchors | clips <= set(ids)
        assert all(image.get("alt") for image in self.all("img"))
        assert len(self.all("h1")) == 1


def blocks(path):
    """The data in a page, by the ids of its blocks."""
    source = path.read_text(encoding="utf-8")
    found = re.findall(r'<script type="application/json" id="(\w+)">(.*?)</script>', source, re.DOTALL)
    return {name: json.loads(text) for name, text in found}


def rows_of(path):
    """Every row of a page, those in files beside it too: what finds it, and what else is shown of it."""
    held = blocks(path)
    others = [json.loads((path.parent / name).read_text().split(",", 1)[1][:-3]) for name in held["others"]]
    details = [*held["first"], *(row for rows in others for row in rows)]
    return list(zip(held["index"], details, strict=True))


def answers_of(
    count: int, labels: list[str], groups: int = 3, seed: int = 0, right: float = 0.5, path: Path | None = None
) -> list[ScoredAnswer]:
    """Random answers; ``right`` is the share of right ones."""
    rng = np.random.default_rng(seed)
    answers = []
    for index in range(count):
        target, said = (int(rng.integers(len(labels))) for _ in range(2))
        if rng.random() < right:
            said = target
        elif said == target:
            said = (target + 1) % len(labels)
        values = rng.random(len(labels))
        values[said] = values.max() * (1.1 + rng.random() * len(labels))
        values /= values.sum()
        scores = dict(zip(labels, values.tolist(), strict=True))
        where = path or Path(f"/nowhere/{index}.wav")
        answers.append(
            ScoredAnswer(
                where, f"{index}.wav", 0.0, None, f"group {index % groups}", labels[target], labels[said],
                float(values[said]), scores,
            )
        )  # fmt: skip
    return answers
