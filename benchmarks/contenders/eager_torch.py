"""PyTorch eager as its tuning guides have it: one network, whatever the pack.

No DataLoader but one gather an epoch into a buffer, fused optimizers, gradients set to
None, L2 as the weight decay of the weights' parameter group, one thread.
"""

import torch
from problems import BETA1, BETA2, EPSILON, L2, MOMENTUM, Problem
from torch import nn
from torch.nn.functional import cross_entropy

from contenders import Epoch

torch.set_num_threads(1)


def network(problem: Problem) -> nn.Sequential:
    model = nn.Sequential()
    for weights, bias in problem.weights():
        linear = nn.Linear(*weights.shape)
        with torch.no_grad():
            linear.weight.copy_(torch.from_numpy(weights.T.copy()))
            linear.bias.copy_(torch.from_numpy(bias.copy()))
        model.extend([linear, nn.ReLU()])
    return model[:-1]


def optimizer(model: nn.Module, problem: Problem) -> torch.optim.Optimizer:
    weights = [p for p in model.parameters() if p.dim() > 1]
    biases = [p for p in model.parameters() if p.dim() == 1]
    groups = [{"params": weights, "weight_decay": L2}, {"params": biases}]
    rate = problem.learning_rate
    if problem.optimizer == "adam":
        return torch.optim.Adam(groups, lr=rate, betas=(BETA1, BETA2), eps=EPSILON, fused=True)
    return torch.optim.SGD(groups, lr=rate, momentum=MOMENTUM, fused=True)


def prepare(problem: Problem, *, compiled: bool = False) -> Epoch:
    x, y, order = map(torch.from_numpy, problem.data())
    model = network(problem)
    step = optimizer(model, problem)

    def forward(inputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        return cross_entropy(model(inputs), targets)

    if compiled:
        forward = torch.compile(forward)
    inputs, targets = torch.empty_like(x), torch.empty_like(y)
    batches = list(zip(inputs.split(problem.batch), targets.split(problem.batch), strict=True))

    def epoch() -> float:
        torch.index_select(x, 0, order, out=inputs)
        torch.index_select(y, 0, order, out=targets)
        losses = []
        for some_inputs, some_targets in batches:
            step.zero_grad(set_to_none=True)
            loss = forward(some_inputs, some_targets)
            loss.backward()
            step.step()
            losses.append(loss.detach())
        return torch.stack(losses).mean().item()

    return epoch
