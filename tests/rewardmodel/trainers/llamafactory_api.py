"""PYTHON llamafactory_api.py URL TEXTS.json OUT.json: LLaMA-Factory's own call of a reward server.

Its PPO package imports torchaudio for audio inputs; where that cannot be loaded, an empty module stands in.
"""

import importlib.machinery
import json
import sys
import types
from pathlib import Path


def main(url: str, texts: str, out: str) -> None:
    try:
        import torchaudio  # noqa: F401
    except (ImportError, OSError):
        sys.modules["torchaudio"] = types.ModuleType("torchaudio")
        sys.modules["torchaudio"].__spec__ = importlib.machinery.ModuleSpec("torchaudio", None)
    from llamafactory.train.ppo.ppo_utils import get_rewards_from_server

    found = get_rewards_from_server(url, json.loads(Path(texts).read_text()))
    Path(out).write_text(json.dumps(found.tolist()))


if __name__ == "__main__":
    main(*sys.argv[1:])
