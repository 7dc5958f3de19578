"""Products in every form that a shape can bring about, against plain sums and each other."""

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from workers.nn.network.products import UNPACKED, product, product_turned

# Rows, inner, width: a vector, small, with a copy of the right, halved, too large for either.
SHAPES = [(1, 3, 1), (5, 7, 3), (32, 40, 50), (33, 170, 190), (64, 200, 200)]


def _stack(*shape: int, seed: int) -> NDArray[np.float32]:
    return np.random.default_rng(seed).standard_normal(shape, np.float32)


def _run(
    form: Callable[..., list[Callable[[], object]]], *arrays: NDArray[np.float32]
) -> NDArray[np.float32]:
    for call in form(*arrays):
        call()
    return arrays[-1]


def test_the_shapes_reach_every_form() -> None:
    sizes = [rows * inner * width for rows, inner, width in SHAPES]
    assert sizes[-3] < UNPACKED < sizes[-2] < 2 * UNPACKED < sizes[-1]


@pytest.mark.parametrize(("rows", "inner", "width"), SHAPES)
def test_products_are_sums_of_products(rows: int, inner: int, width: int) -> None:
    left, right = _stack(3, rows, inner, seed=0), _stack(3, inner, width, seed=1)
    expected = np.einsum("kri,kiw->krw", left.astype(float), right.astype(float))
    straight = _run(product, left, right, np.empty((3, rows, width), np.float32))
    lying = np.ascontiguousarray(np.swapaxes(right, 1, 2))
    turned = _run(product_turned, left, lying, np.empty((3, rows, width), np.float32))
    np.testing.assert_allclose(straight, expected, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(turned, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(("rows", "inner", "width"), SHAPES)
@pytest.mark.parametrize("form", [product, product_turned])
def test_a_lone_matrix_gives_the_bits_of_a_stack(
    form: Callable[..., list[Callable[[], object]]], rows: int, inner: int, width: int
) -> None:
    left = _stack(3, rows, inner, seed=0)
    right = _stack(3, *((inner, width) if form is product else (width, inner)), seed=1)
    stacked = _run(form, left, right, np.empty((3, rows, width), np.float32))
    for k in range(3):
        alone = _run(form, left[k], right[k], np.empty((rows, width), np.float32))
        assert alone.tobytes() == stacked[k].tobytes()
