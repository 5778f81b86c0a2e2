"""The languages fenced code may be coloured in: those of the vendored highlight.js, and their other names."""

from typing import Final

LANGUAGES: Final = frozenset(
    """
    bash c cpp csharp css diff go graphql ini java javascript json kotlin less lua makefile objectivec perl
    php python r ruby rust scss shell sql swift typescript vbnet xml yaml
    """.split()  # noqa: SIM905  read as a list of words
)
_OTHER_NAMES: Final = {
    "c#": "csharp",
    "c++": "cpp",
    "cc": "cpp",
    "console": "shell",
    "cs": "csharp",
    "golang": "go",
    "h": "c",
    "hpp": "cpp",
    "html": "xml",
    "js": "javascript",
    "jsx": "javascript",
    "kt": "kotlin",
    "make": "makefile",
    "objc": "objectivec",
    "patch": "diff",
    "postgresql": "sql",
    "py": "python",
    "python3": "python",
    "rb": "ruby",
    "rs": "rust",
    "sh": "bash",
    "svg": "xml",
    "toml": "ini",
    "ts": "typescript",
    "tsx": "typescript",
    "vb": "vbnet",
    "yml": "yaml",
    "zsh": "bash",
}


def language_of(info: str) -> str:
    """The language a fence's info string names ("py", "Python title=x"), or "" for one that is not known."""
    word = info.strip().lower().replace(",", " ").replace("{", " ").partition(" ")[0]
    language = _OTHER_NAMES.get(word, word)
    return language if language in LANGUAGES else ""
