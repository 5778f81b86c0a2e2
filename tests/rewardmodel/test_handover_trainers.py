"""Handed-over folders under the trainers' own loading code: golden scores within 1e-4.

TRL runs here. OpenRLHF and LLaMA-Factory want other versions of everything, so each runs under a Python of
its own, named by OPENRLHF_PYTHON and LLAMAFACTORY_PYTHON; without them their tests are skipped.
"""

import http.server
import json
import os
import subprocess
import threading
from pathlib import Path

import pytest

from rewardmodel.training.handover import run
from rewardmodel.training.stopping import Stop
from tests.rewardmodel import handovers

pytestmark = pytest.mark.slow
TOLERANCE = 1e-4
SCRIPTS = Path(__file__).parent / "trainers"


@pytest.fixture(scope="module")
def encoder(tmp_path_factory):
    """The CPU tier's folder."""
    trained = handovers.write_run(tmp_path_factory.mktemp("trained"))
    out = trained.parent / "out"
    run.hand_over(handovers.request(trained, out), Stop())
    return out


@pytest.fixture(scope="module")
def decoder(encoder):
    """The folder of a fine-tuned model."""
    out = encoder.parent / "decoder"
    handovers.write_ready(out, encoder / "ensemble")
    return out


def gap(found, folder):
    golden = [row["score"] for row in handovers.golden_rows(folder)]
    assert max(golden) - min(golden) > 0.05
    return max(abs(a - b) for a, b in zip(found, golden, strict=True))


def outside(variable, script, *words):
    """Run one of the scripts under the Python that an environment variable names; what it wrote."""
    python = os.environ.get(variable)
    if not python:
        pytest.skip(f"{variable} names no Python that has this trainer")
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "DISABLE_VERSION_CHECK": "1"}
    done = subprocess.run(
        [python, str(SCRIPTS / script), *map(str, words)],
        env=environment, capture_output=True, text=True, check=False, timeout=500,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(Path(words[-1]).read_text())


def texts_of(folder, tmp_path):
    path = tmp_path / "texts.json"
    path.write_text(json.dumps([row["text"] for row in handovers.golden_rows(folder)]))
    return path


@pytest.mark.parametrize("which", ["encoder", "decoder"])
@pytest.mark.parametrize("trainer", ["GRPO", "RLOO"])
def test_trl_loads_it_by_name_and_scores_conversations(which, trainer, request, tmp_path):
    import trl
    from datasets import Dataset
    from transformers import LlamaConfig, LlamaForCausalLM

    folder = request.getfixturevalue(which)
    rows = handovers.golden_rows(folder)
    _, tokenizer = handovers.llama()
    policy = LlamaForCausalLM(
        LlamaConfig(
            vocab_size=len(tokenizer), hidden_size=8, intermediate_size=8, num_hidden_layers=1,
            num_attention_heads=1, pad_token_id=tokenizer.pad_token_id,
        )
    )  # fmt: skip
    policy.config._name_or_path = str(folder / "model")
    settings = getattr(trl, f"{trainer}Config")(
        output_dir=str(tmp_path), use_cpu=True, bf16=False, report_to=[], per_device_train_batch_size=2,
        num_generations=2, max_completion_length=4,
    )  # fmt: skip
    made = getattr(trl, f"{trainer}Trainer")(
        policy, reward_funcs=str(folder / "model"), args=settings, processing_class=tokenizer,
        train_dataset=Dataset.from_list([{"prompt": rows[0]["messages"][:1]}] * 4),
    )  # fmt: skip
    prompts = [row["messages"][:-1] for row in rows]
    completions = [row["messages"][-1:] for row in rows]
    found = made._calculate_rewards([{} for _ in rows], prompts, completions, [[0]] * len(rows))
    assert gap(found[:, 0].tolist(), folder) < TOLERANCE


@pytest.mark.parametrize("which", ["encoder", "decoder"])
def test_openrlhf_loads_it(which, request, tmp_path):
    folder = request.getfixturevalue(which)
    found = outside(
        "OPENRLHF_PYTHON", "openrlhf_scores.py",
        folder / "model", texts_of(folder, tmp_path), tmp_path / "found.json",
    )  # fmt: skip
    assert gap(found["float32"], folder) < TOLERANCE
    assert gap(found["bfloat16"], folder) < 0.1  # how OpenRLHF itself computes


def test_llama_factory_loads_a_decoder(decoder, tmp_path):
    found = outside(
        "LLAMAFACTORY_PYTHON", "llamafactory_scores.py",
        decoder / "model", texts_of(decoder, tmp_path), tmp_path / "found.json",
    )  # fmt: skip
    assert gap(found["float32"], decoder) < TOLERANCE


def test_llama_factory_asks_a_server_for_an_encoders_scores(encoder, tmp_path):
    """Its own request and its own reading of the answer; the server here answers with the folder's scores."""
    from rewardmodel.training.handover import check

    class Answering(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            answer = json.dumps({"scores": check.scores(encoder / "model", asked["messages"])}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_):
            return

    server = http.server.HTTPServer(("127.0.0.1", 0), Answering)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        found = outside(
            "LLAMAFACTORY_PYTHON", "llamafactory_api.py",
            f"http://127.0.0.1:{server.server_port}/", texts_of(encoder, tmp_path), tmp_path / "found.json",
        )  # fmt: skip
    finally:
        server.shutdown()
    assert gap(found, encoder) < TOLERANCE
