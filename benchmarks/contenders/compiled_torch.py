"""PyTorch with forward and backward compiled by ``torch.compile`` (needs a C++ compiler)."""

from problems import Problem

from contenders import Epoch, eager_torch


def prepare(problem: Problem) -> Epoch:
    return eager_torch.prepare(problem, compiled=True)
