"""A student as a plain BertForSequenceClassification: every reader of that class gets the student's reward.

One layer is added behind the encoder's own. Its queries are constant: 0 in all heads but the last, which so
attend to all tokens alike, and their attention *is* the mean over the tokens, the same at every position; the
last head's keys are s·h, so it reads the token that tells the length. Times 2³⁰ the mean drowns what the
residual path adds, so [CLS] (read by transformers, TRL, vLLM) and the last token (read by OpenRLHF) end up
with the same state, to some 1e-8. Its feed-forward part is the student's network; the reward leaves on the
first coordinate and, negated, on the second. The pooler's tanh sees 2⁻¹⁰ of it, where tanh is the identity.

All weights are rounded to what bfloat16 can hold: loaded in bfloat16 they are still these weights. float16
cannot hold 2³⁰.
"""

from __future__ import annotations

import copy
from typing import Any

import torch

from rewardmodel.training.handover.student import FREE, SHRINK, TOLD, Student

DROWN = 2.0**30
LINEAR_PART_OF_TANH = 2.0**-10


def compiled(student: Student) -> Any:
    """The student as BertForSequenceClassification(num_labels=1), float32, in evaluation mode."""
    from transformers import BertForSequenceClassification

    config = copy.deepcopy(student.encoder.config)
    config.num_hidden_layers += 1
    config.num_labels = 1
    config.classifier_dropout = None
    model: Any = BertForSequenceClassification(config)
    missing, unexpected = model.bert.load_state_dict(student.encoder.state_dict(), strict=False)
    if unexpected or any(not _is_new(name, config.num_hidden_layers - 1) for name in missing):
        raise ValueError(f"The encoder's weights do not fit: missing {missing}, unexpected {unexpected}.")
    with torch.no_grad():
        _pool(model.bert.encoder.layer[-1].attention, student)
        _reward(model.bert.encoder.layer[-1], student)
        _read(model)
        for parameter in model.parameters():
            parameter.copy_(parameter.to(torch.bfloat16).float())
    return model.eval()


def _is_new(name: str, last: int) -> bool:
    return name.startswith((f"encoder.layer.{last}.", "pooler."))


def _pool(attention: Any, student: Student) -> None:
    """Attend to all alike, in the last head to the length; pass the values on, drowning the residual path;
    keep two coordinates free."""
    width = student.width
    for projection in (attention.self.query, attention.self.key, attention.self.value):
        projection.weight.zero_()
        projection.bias.zero_()
    attention.self.value.weight.copy_(torch.eye(width))
    attention.self.value.weight[width - student.head : width - TOLD] = 0.0
    attention.self.query.bias[-student.head] = 1.0
    attention.self.key.weight[-student.head] = student.seek
    attention.output.dense.weight.zero_()
    attention.output.dense.weight[range(FREE, width), range(FREE, width)] = DROWN
    attention.output.dense.bias.zero_()
    attention.output.LayerNorm.weight.fill_(1.0)
    attention.output.LayerNorm.bias.zero_()


def _reward(layer: Any, student: Student) -> None:
    """The student's network in the feed-forward part: w·z = act(w·z) - act(-w·z) takes two units."""
    inner, outer, hidden = layer.intermediate.dense, layer.output.dense, len(student.outer)
    for part in (inner.weight, inner.bias, outer.weight, outer.bias, layer.output.LayerNorm.bias):
        part.zero_()
    slope = student.slope.clone()
    slope[:FREE] = 0.0
    inner.weight[0], inner.weight[1] = slope, -slope
    inner.weight[2 : 2 + hidden], inner.bias[2 : 2 + hidden] = student.inner, student.offset
    row = torch.cat([torch.tensor([1.0, -1.0]), student.outer]) / SHRINK
    for coordinate, sign in ((0, 1.0), (1, -1.0)):
        outer.weight[coordinate, : 2 + hidden] = sign * row
        outer.bias[coordinate] = sign * student.bias / SHRINK
    layer.output.LayerNorm.weight.fill_(LINEAR_PART_OF_TANH)


def _read(model: Any) -> None:
    """Half the difference of the two coordinates, undone in scale; no bias, for OpenRLHF's head has none."""
    pooler, classifier = model.bert.pooler.dense, model.classifier
    pooler.weight.zero_()
    pooler.bias.zero_()
    pooler.weight[0, 0] = pooler.weight[1, 1] = 1.0
    classifier.weight.zero_()
    classifier.bias.zero_()
    gain = SHRINK / LINEAR_PART_OF_TANH / 2
    classifier.weight[0, 0], classifier.weight[0, 1] = gain, -gain
