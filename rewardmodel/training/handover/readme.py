"""OUT/README.md: how each trainer loads the folder, for this very kind of model."""

from __future__ import annotations

from typing import Any

from rewardmodel.training.handover.folder import head_name

_HEAD = """# A reward model handed over by Laurel

`model/` is a `{kind}` with one output: weights in safetensors, no code of its own.
A higher score is a better response; the scores of two responses to one prompt differ by the log-odds with
which people prefer one to the other, ties apart.

    python check.py            # files unchanged, golden scores within 1e-4: exit code 0

{what}

## transformers

    from transformers import AutoModelForSequenceClassification, AutoTokenizer
    model = AutoModelForSequenceClassification.from_pretrained("model", num_labels=1, dtype="float32").eval()
    tokenizer = AutoTokenizer.from_pretrained("model")
    text = tokenizer.apply_chat_template(messages, tokenize=False)        # prompt turns, then the response
    batch = tokenizer([text], add_special_tokens=False, padding=True, return_tensors="pt")
    score = model(**batch).logits[:, 0]

{precision}

## TRL (GRPO, RLOO)

    GRPOTrainer(model=policy, reward_funcs="/path/to/model", train_dataset=conversations, …)

The data set must be conversational (a `prompt` of turns): TRL then renders prompt and completion with this
folder's chat template. Plain strings are joined without it and get no meaningful score. {long}
"""

_DISTILLED = """It was taught to give the mean reward of the ensemble in `ensemble/` divided by its
temperature. {faithful}
`handover.json` says more: `held_out` has this model (`student`), ensemble and length on the same held-out
pairs. The token `[length-k]` that the chat template writes tells the model how long the response is: form no
text without it. The ensemble knows how sure it is; this one model does not. Where that matters, ask Laurel's
reward server."""

_TOO_LONG = "TRL does not cut\ntexts: one of more than {longest} tokens is an error."
_LONG = (
    "TRL does not cut\ntexts: the model has learned from texts of at most {longest} tokens, and of a longer "
    "one Laurel reads the end."
)

_ENCODER = """
## OpenRLHF

    python -m openrlhf.cli.serve_rm --reward.model_name_or_path /path/to/model \\
        --ds.attn_implementation sdpa --data.max_len {longest_tokens} --port 5000
    python -m openrlhf.cli.train_ppo_ray --reward.remote_url http://HOST:5000/get_reward …

`get_llm_for_sequence_regression("model", "reward", attn_implementation="sdpa")` loads it directly, head and
all (`value_head_prefix` in config.json). Give `serve_rm` texts made with this folder's chat template. Do not
name it in `--reward.model_name_or_path` of `train_ppo_ray`: that feeds the policy's token ids to the reward
model, and this one has a vocabulary of its own. OpenRLHF computes in bfloat16: scores then differ by some
hundredths.

## LLaMA-Factory

Its own reward models are decoders that read the policy's token ids, so `reward_model: /path/to/model` cannot
work with an encoder. Use the reward server:

    stage: ppo
    reward_model: http://HOST:PORT/…          # see Laurel's guide for engineers
    reward_model_type: api

## verl

    reward_model.enable=True reward_model.model.path=/path/to/model

verl serves the folder with vLLM or SGLang and renders the conversation with this folder's chat template.
(From its documentation; Laurel's tests do not run verl.)
"""

_DECODER = """
## OpenRLHF

    python -m openrlhf.cli.serve_rm --reward.model_name_or_path /path/to/model --port 5000
    python -m openrlhf.cli.train_ppo_ray --reward.model_name_or_path /path/to/model …

The second needs a policy with the same tokenizer. OpenRLHF computes in bfloat16: scores then differ by some
hundredths.

## LLaMA-Factory

    stage: ppo
    reward_model: /path/to/model              # reads value_head.safetensors
    reward_model_type: full

The policy must have the same tokenizer. A warning about a missing `lm_head` is harmless: it is not used.

## verl

    reward_model.enable=True reward_model.model.path=/path/to/model

verl serves the folder with vLLM or SGLang. (From its documentation; Laurel's tests do not run verl.)
"""


def faithful(held_out: dict[str, Any]) -> str:
    """In one sentence, how far the model ranks like the ensemble, from `fidelity.fidelity`."""
    agreement = held_out.get("agreement_with_ensemble")
    if not agreement or not agreement["n"]:
        return "How faithful it is could not be measured: no judged pair is in the test split."
    return (
        f"On {agreement['n']} held-out pairs it prefers the same response as the ensemble in "
        f"{agreement['value']:.0%} of cases (rank correlation {held_out['spearman_with_ensemble']:.2f})."
    )


def text(about: dict[str, Any], model: Any) -> str:
    """The README of a hand-over; `about` is what handover.json says."""
    encoder, longest = head_name(model) == "classifier", about["longest_tokens"]
    head = _HEAD.format(
        kind=type(model).__name__,
        what=_about(about),
        precision="float32 and bfloat16 work; float16 overflows in the last layer." if encoder else
        "Scores were written down in float32.",
        long=(_TOO_LONG if encoder else _LONG).format(longest=longest),
    )  # fmt: skip
    return head + (_ENCODER.replace("{longest_tokens}", str(longest)) if encoder else _DECODER)


def _about(about: dict[str, Any]) -> str:
    if about["kind"] == "distilled":
        return _DISTILLED.format(faithful=faithful(about["held_out"]))
    own = "its members merged" if isinstance(about.get("member"), str) else f"member {about['member']}"
    said = [f"It is the run's own fine-tuned model, {own}."]
    if "held_out" in about:
        said.append(faithful(about["held_out"]))
    length = about["left_out"]["length"]
    if length:
        said.append(
            f"The ensemble adds {length:+.3f} · log(1 + characters of the response) to every reward; no "
            "standard model can hold that: add it to these scores to rank as the ensemble does."
        )
    return " ".join(said)
