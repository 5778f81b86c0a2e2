"""A reward function for TRL's GRPOTrainer and RLOOTrainer.

from rewardmodel.training.scoring.trl_reward import reward_function
trainer = GRPOTrainer(model, reward_funcs=reward_function("http://127.0.0.1:5000"), …)
trainer = GRPOTrainer(model, reward_funcs=reward_function("runs/garden/0003/ensemble"), …)
"""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from rewardmodel.training.failure import RewardServerError
from rewardmodel.training.scoring.conversation import Exchange, read_prompt, read_response
from rewardmodel.training.scoring.scorer import LAMBDA, load

TRIES = 5  # when the server is busy or is being started again
ANSWER_SECONDS = 180.0

RewardFunction = Callable[..., list[float]]


def reward_function(
    source: str | Path, *, penalty: float = LAMBDA, token: str | None = None, device: str = "cpu"
) -> RewardFunction:
    """f(prompts, completions, **columns) -> one reward a completion, mean - λ·std with λ = penalty.

    source: the address of a reward server, or an ensemble folder that is loaded into this process. Prompts
    and completions may be texts or lists of turns. Raises EnsembleError here, RewardServerError when it is
    asked in vain.
    """
    address = str(source)
    if address.startswith(("http://", "https://")):
        score = _remote(address.rstrip("/") + "/score", penalty, token)
    else:
        score = _local(Path(source), penalty, device)

    def laurel_reward(prompts: Sequence[Any], completions: Sequence[Any], **columns: Any) -> list[float]:
        return score(
            [
                Exchange(read_prompt(prompt), read_response(completion))
                for prompt, completion in zip(prompts, completions, strict=True)
            ]
        )

    return laurel_reward


def _local(folder: Path, penalty: float, device: str) -> Callable[[list[Exchange]], list[float]]:
    scorer = load(folder, device=device)
    return lambda exchanges: [float(value) for value in scorer.score(exchanges).conservative(penalty)]


def _remote(url: str, penalty: float, token: str | None) -> Callable[[list[Exchange]], list[float]]:
    headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {})

    def score(exchanges: list[Exchange]) -> list[float]:
        items = [
            {
                "prompt": [{"role": turn.role, "content": turn.content} for turn in exchange.prompt],
                "response": exchange.response,
            }
            for exchange in exchanges
        ]
        body = json.dumps({"items": items, "lambda": penalty}).encode()
        answer = _post(urllib.request.Request(url, body, headers))  # noqa: S310  the address is the caller's
        return [float(result["conservative"]) for result in answer["results"]]

    return score


def _post(request: urllib.request.Request) -> dict[str, Any]:
    """The JSON answer. A refusal is final; a server that is busy or away is asked again, a little later."""
    reason = ""
    for attempt in range(TRIES):
        time.sleep(0.5 * attempt)
        try:
            with urllib.request.urlopen(request, timeout=ANSWER_SECONDS) as answer:  # noqa: S310
                found: dict[str, Any] = json.load(answer)
                return found
        except urllib.error.HTTPError as error:
            reason = error.read().decode(errors="replace")
            if error.code != 503:
                break
        except (OSError, ValueError) as error:
            reason = str(error)
    raise RewardServerError(
        f"{request.full_url} gives no rewards: {reason}. Is `./laurel serve-rewards` running?"
    )
