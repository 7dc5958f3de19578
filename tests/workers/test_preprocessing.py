"""Preprocessing: statistics by hand, identities of whitening, storage in checkpoints."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from sklearn.preprocessing import QuantileTransformer, RobustScaler, StandardScaler

from workers.data.preprocessing import PREPROCESSORS, Preprocessing, fit
from workers.errors import CheckpointError, InputError

# Mean (2, 10), standard deviation (1, 4), worked out by hand; the third column never varies.
HAND = np.array([[1.0, 6.0, 0.1], [3.0, 14.0, 0.1], [1.0, 14.0, 0.1], [3.0, 6.0, 0.1]])


def correlated(rows: int = 400, features: int = 5) -> np.ndarray:
    generator = np.random.default_rng(0)
    return generator.normal(size=(rows, features)) @ generator.normal(size=(features, features)) + 7


@pytest.mark.parametrize(
    ("name", "first_row"),
    [
        ("center", [-1.0, -4.0, 0.0]),
        ("standardize", [-1.0, -1.0, 0.0]),
        ("scale", [0.0, 0.0, 0.0]),
        ("robust", [-0.493197, -0.493197, 0.0]),  # z = -1/2; of a column: (1 - 2) / (3 - 1)
        ("quantile", [-5.199338, -5.199338, 0.0]),  # The lowest: of a share of 1e-7.
        ("pca", [-4.0, -1.0]),
        ("whiten", [-1.0, -1.0]),
    ],
)
def test_worked_example_by_hand(name: str, first_row: list[float]) -> None:
    result = fit([name], HAND).transform(HAND[:1])
    assert result.dtype == np.float32
    assert result.flags.c_contiguous
    np.testing.assert_allclose(result, [first_row], atol=1e-6)


@pytest.mark.parametrize(
    "chain",
    [
        ["standardize"],
        ["scale"],
        ["robust"],
        ["quantile"],
        ["pca"],
        ["whiten"],
        ["center", "standardize"],
        ["center", "scale"],
        ["center", "robust"],
        ["center", "quantile"],
    ],
)
def test_rounding_noise_is_no_variation(chain: list[str]) -> None:
    """0.3 and 0.1 + 0.2 are one number; scikit-learn's StandardScaler takes them for that."""
    near = np.full(10, 0.3)
    near[4] = 0.1 + 0.2
    assert near.std() > 0
    x = np.column_stack([near, np.arange(10.0)])
    assert StandardScaler().fit(x).scale_[0] == 1
    moved = np.array([[0.31, 4.5], [0.3, 4.5]])
    result = fit(chain, x).transform(moved)
    np.testing.assert_allclose(result[0], result[1], atol=0.011)
    assert np.abs(result).max() < 2
    alone = fit(["standardize"], near[:, np.newaxis])
    assert not alone.transform(np.array([[0.31], [1e9]])).any()
    if chain[0] in ("pca", "whiten"):
        with pytest.raises(InputError, match="some feature must vary"):
            fit(chain, near[:, np.newaxis])


def test_what_varies_little_on_a_large_mean_still_counts() -> None:
    rng = np.random.default_rng(0)
    x = 1.7e9 + 50 * rng.standard_normal((400, 1))
    expected = StandardScaler().fit_transform(x)
    np.testing.assert_allclose(fit(["standardize"], x).transform(x), expected, rtol=1e-5)


@pytest.mark.parametrize("size", [1e160, 1e-170, 1e300, 1e-300, 1.0])
@pytest.mark.parametrize(
    "chain",
    [["standardize"], ["scale"], ["robust"], ["quantile"], ["whiten"], ["scale", "pca"]],
)
def test_a_columns_size_plays_no_part(chain: list[str], size: float) -> None:
    """Squares of 1e160 overflow, those of 1e-170 vanish."""
    x = correlated(rows=40, features=2)
    expected = fit(chain, x).transform(x)
    result = fit(chain, x * size).transform(x * size)
    np.testing.assert_allclose(result, expected, rtol=1e-5, atol=1e-5)


def test_columns_of_very_different_sizes_are_all_standardized() -> None:
    x = correlated(rows=40, features=3)
    result = fit(["standardize"], x * [1e160, 1.0, 1e-170]).transform(x * [1e160, 1.0, 1e-170])
    np.testing.assert_allclose(result, StandardScaler().fit_transform(x), rtol=1e-5, atol=1e-6)


def test_new_rows_use_the_training_statistics() -> None:
    preprocessing = fit(["standardize"], HAND)
    np.testing.assert_allclose(preprocessing.transform(np.array([[4.0, 2.0, 99.0]])), [[2, -2, 0]])


def test_an_empty_chain_only_converts() -> None:
    x = np.arange(6, dtype=np.uint8).reshape(2, 3)
    result = fit([], x).transform(x)
    assert result.dtype == np.float32
    assert result.tolist() == [[0, 1, 2], [3, 4, 5]]


@pytest.mark.parametrize("chain", [["whiten"], ["standardize", "whiten"], ["pca", "standardize"]])
def test_whitened_rows_have_identity_covariance(chain: list[str]) -> None:
    x = correlated()
    result = fit(chain, x).transform(x).astype(np.float64)
    np.testing.assert_allclose(np.cov(result.T, bias=True), np.eye(5), atol=1e-5)
    np.testing.assert_allclose(result.mean(axis=0), 0, atol=1e-5)


def test_pca_keeps_distances_and_orders_the_variances() -> None:
    x = correlated()
    result = fit(["pca"], x).transform(x).astype(np.float64)
    variances = result.var(axis=0)
    assert (np.diff(variances) < 0).all()
    assert np.abs(np.cov(result.T) - np.diag(np.diag(np.cov(result.T)))).max() < 1e-4
    between = np.linalg.norm(x[:50] - x[50:100], axis=1)
    np.testing.assert_allclose(np.linalg.norm(result[:50] - result[50:100], axis=1), between, 1e-5)


def test_directions_have_the_same_sign_on_every_machine() -> None:
    directions = fit(["pca"], correlated()).to_arrays()["0.pca.factor"]
    assert (directions.max(axis=0) >= -directions.min(axis=0)).all()


def test_whitening_does_not_blow_up_noise_below_its_floor() -> None:
    x = correlated(features=2)
    noisy = np.column_stack([x, 1e-5 * np.random.default_rng(1).normal(size=len(x))])
    preprocessing = fit(["whiten"], noisy)
    moved = noisy[:1] + np.array([[0, 0, 1e-5]])
    change = preprocessing.transform(moved) - preprocessing.transform(noisy[:1])
    assert np.abs(change).max() < 0.1


@pytest.mark.parametrize("name", PREPROCESSORS)
@pytest.mark.parametrize("value", [0.0, 0.1, 1e30, -3.0])
def test_constant_features_become_zero_or_are_left_out(name: str, value: float) -> None:
    x = correlated(features=2)
    x[:, 1] = value
    result = fit([name], x).transform(x)
    assert np.isfinite(result).all()
    assert result.shape[1] == 1 or not result[:, 1].any()


@pytest.mark.parametrize("name", ["pca", "whiten"])
def test_fewer_rows_than_features_leave_fewer_outputs(name: str) -> None:
    x = np.random.default_rng(0).normal(size=(4, 9))
    assert fit([name], x).transform(x).shape == (4, 3)


@pytest.mark.parametrize("name", ["pca", "whiten"])
def test_rotations_refuse_rows_that_are_all_equal(name: str) -> None:
    with pytest.raises(InputError, match="must vary"):
        fit([name], np.full((5, 3), 0.1))


def test_large_offsets_keep_their_small_variation() -> None:
    x = np.array([[1.7e9], [1.7e9 + 1]])
    np.testing.assert_allclose(fit(["standardize"], x).transform(x), [[-1], [1]])


def test_blocks_agree_with_numpy_on_many_rows() -> None:
    x = np.random.default_rng(0).integers(0, 255, (9000, 300), np.uint8)
    result = fit(["standardize"], x).transform(x)
    np.testing.assert_allclose(result.mean(axis=0), 0, atol=1e-5)
    np.testing.assert_allclose(result.std(axis=0), 1, atol=1e-5)


# --- robust


def smooth(z: np.ndarray) -> np.ndarray:
    """RealMLP's smooth clip, written as in its paper."""
    return z / np.sqrt(1 + (z / 3) ** 2)


@pytest.mark.parametrize("rows", [4, 5, 6, 7, 101])
def test_robust_is_scikit_learns_robust_scaler_then_clipped(rows: int) -> None:
    x = np.random.default_rng(rows).standard_t(1, (rows, 3)) * [1, 1e3, 1e-3] + [0, 5e4, 0]
    new = np.random.default_rng(0).standard_cauchy((50, 3)) * 1e3
    expected = smooth(RobustScaler().fit(x).transform(new))
    (step,) = fit(["robust"], x).steps
    np.testing.assert_allclose(step.apply(new), expected, rtol=1e-12, atol=1e-12)


def test_equal_quartiles_leave_half_the_range() -> None:
    """Most values are 4, so the quartiles are; the range is from 2 to 12."""
    x = np.array([4.0] * 8 + [2.0, 12.0])[:, np.newaxis]
    result = fit(["robust"], x).transform(np.array([[4.0], [9.0], [-1.0]]))
    np.testing.assert_allclose(result[:, 0], smooth(np.array([0, 1, -1])), rtol=1e-6)


def test_quartiles_that_differ_by_rounding_are_equal() -> None:
    x = np.array([0.3] * 4 + [0.1 + 0.2] * 4 + [0.2, 0.4])[:, np.newaxis]
    result = fit(["robust"], x).transform(x)
    np.testing.assert_allclose(result[:8], 0, atol=1e-6)
    np.testing.assert_allclose(result[8:, 0], smooth(np.array([-1, 1])), rtol=1e-6)


@pytest.mark.parametrize("value", [1e3, 1e30, 1e300])
def test_the_smooth_clip_bounds_what_is_far_out(value: float) -> None:
    result = fit(["robust"], HAND[:, :2]).transform(np.array([[value, -value], [2.1, 10.4]]))
    np.testing.assert_allclose(result[0], [3, -3], rtol=2e-3)
    np.testing.assert_allclose(result[1], 0.05, rtol=1e-3)


def test_a_column_that_fills_the_range_of_doubles_is_not_lost() -> None:
    x = np.array([[-1e308], [-1e308], [1e308], [1e308]])
    result = fit(["robust"], x).transform(x)
    np.testing.assert_allclose(result[:, 0], smooth(np.array([-0.5, -0.5, 0.5, 0.5])), rtol=1e-6)


@pytest.mark.parametrize("chain", [["robust"], ["quantile"], ["scale", "quantile"]])
def test_columns_are_gathered_in_groups(chain: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    x = correlated(rows=50, features=7)
    whole = fit(chain, x).transform(x)
    monkeypatch.setattr("workers.data.column_statistics.GATHERED", 160)
    monkeypatch.setattr("workers.data.preprocessing._BLOCK_VALUES", 90)
    assert fit(chain, x).transform(x).tobytes() == whole.tobytes()


# --- quantile


@pytest.mark.parametrize(
    ("rows", "draw"),
    [(rows, "standard_normal") for rows in (2, 3, 10, 999, 1000, 1001, 2501)]
    + [(rows, draw) for rows in (1500, 2501) for draw in ("integers", "tenths", "zeros")],
)
def test_quantile_is_scikit_learns_quantile_transformer(rows: int, draw: str) -> None:
    rng = np.random.default_rng(rows)
    x = rng.standard_normal((rows, 3)) * [1, 5, 100] + [0, 1, 1e4]
    if draw == "integers":
        x = x.round()
    elif draw == "tenths":
        x = x.round(1)
    elif draw == "zeros":
        x = np.maximum(x - x.mean(axis=0), 0)
    new = np.vstack([x, rng.standard_normal((300, 3)) * [2, 9, 200] + [0, 1, 1e4]])
    reference = QuantileTransformer(
        n_quantiles=min(1000, rows), output_distribution="normal", subsample=None
    )
    (step,) = fit(["quantile"], x).steps
    expected = reference.fit(x).transform(new)
    np.testing.assert_allclose(step.apply(new), expected, rtol=0, atol=1e-9)


@pytest.mark.parametrize("rows", [2, 5, 40, 534, 1000])
def test_of_few_rows_each_gets_the_normal_quantile_of_its_rank(rows: int) -> None:
    """Those of one value share the mean of their ranks, unless it is the lowest or highest."""
    x = np.random.default_rng(rows).integers(0, 1 + rows // 4, (rows, 4)) / 10
    x[:2] = [[-1] * 4, [100] * 4]
    shares = (stats.rankdata(x, axis=0) - 1) / (rows - 1)
    (step,) = fit(["quantile"], x).steps
    expected = stats.norm.ppf(shares).clip(-5.1993375821, 5.1993375821)
    np.testing.assert_allclose(step.apply(x), expected, atol=1e-9)


def test_ties_at_an_end_are_that_end() -> None:
    x = np.array([0.0] * 6 + [1.0, 2.0, 3.0, 4.0] + [5.0] * 3)[:, np.newaxis]
    result = fit(["quantile"], x).transform(np.array([[-1e300], [0], [5], [6]]))
    np.testing.assert_allclose(result[:, 0], [-5.199338, -5.199338, 5.199338, 5.199338])


def test_quantile_makes_any_distribution_normal_and_keeps_the_order() -> None:
    x = np.random.default_rng(0).lognormal(sigma=3, size=(5000, 1))
    result = fit(["quantile"], x).transform(np.sort(x, axis=0))[:, 0]
    assert (np.diff(result) >= 0).all()
    assert stats.kstest(result, "norm").statistic < 1e-3


def test_quantiles_of_the_range_of_doubles_are_stored() -> None:
    x = np.array([-1.7e308, 1.7e308])[np.arange(3000) % 2][:, np.newaxis]
    x[:5] = [[-1e308], [0], [1.0], [1e-300], [1e308]]
    preprocessing = fit(["quantile"], x)
    again = Preprocessing.from_arrays(preprocessing.to_arrays())
    assert np.isfinite(again.transform(x)).all()


def test_a_single_row_has_no_quantiles() -> None:
    assert not fit(["quantile"], HAND[:1]).transform(HAND).any()


def test_a_rotation_after_quantiles() -> None:
    x = np.exp(correlated(features=3))
    chain = fit(["quantile", "pca"], x)
    normal = fit(["quantile"], x).steps[0].apply(x)
    between = np.linalg.norm(normal[:50] - normal[50:100], axis=1)
    result = chain.transform(x).astype(np.float64)
    np.testing.assert_allclose(np.linalg.norm(result[:50] - result[50:100], axis=1), between, 1e-5)
    assert chain.outputs(3) == 3


# --- what is refused


@pytest.mark.parametrize("name", PREPROCESSORS)
@pytest.mark.parametrize("bad", [np.inf, -np.inf, np.nan])
def test_what_is_not_finite_stays_so(name: str, bad: float) -> None:
    """Whoever calls refuses it in one line; in training rows, a rotation already does."""
    x = correlated(rows=30, features=2)
    new = np.array([[bad, 0.0]])
    assert not np.isfinite(fit([name], x).transform(new)).all()
    x[7, 0] = bad
    if name in ("pca", "whiten"):
        with pytest.raises(InputError, match="finite variance"):
            fit([name], x)
    else:
        assert not np.isfinite(fit([name], x).transform(x)).all()


def test_unknown_step_lists_the_known_ones() -> None:
    with pytest.raises(InputError, match=r"standardize.*'normalise'"):
        fit(["normalise"], HAND)


@given(chain=st.lists(st.sampled_from(list(PREPROCESSORS)), max_size=4))
def test_arrays_give_the_same_preprocessing_back(chain: list[str]) -> None:
    x = correlated(rows=20, features=3)
    preprocessing = fit(chain, x)
    again = Preprocessing.from_arrays(dict(reversed(preprocessing.to_arrays().items())))
    assert again.chain == tuple(chain)
    assert again.transform(x).tobytes() == preprocessing.transform(x).tobytes()


def test_more_than_ten_steps_come_back_in_order() -> None:
    preprocessing = fit(["center", "scale"] * 6, HAND)
    assert Preprocessing.from_arrays(preprocessing.to_arrays()).chain == preprocessing.chain


@pytest.mark.parametrize(
    "arrays",
    [
        {"0.standardize.shift": np.zeros(2)},
        {"0.unknown.shift": np.zeros(2), "0.unknown.factor": np.ones(2)},
        {"1.center.shift": np.zeros(2), "1.center.factor": np.ones(2)},
        {"x.center.shift": np.zeros(2), "x.center.factor": np.ones(2)},
        {"center": np.zeros(2)},
        {"0.center.shift": np.zeros(2), "0.center.factor": np.ones(3)},
        {"0.center.shift": np.zeros(()), "0.center.factor": np.ones(())},
        {"0.center.shift": np.zeros(2), "0.center.factor": np.array([1, np.nan])},
        {"0.center.shift": np.zeros(2), "0.center.factor": np.ones(2, np.float32)},
        {"0.robust.shift": np.zeros(2)},
        {"0.robust.shift": np.zeros(2), "0.robust.factor": np.ones((2, 2))},
        {"0.robust.shift": np.zeros(2), "0.robust.factor": np.ones(3)},
        {"0.robust.shift": np.zeros(2), "0.robust.factor": np.array([1, np.inf])},
        {"0.quantile.shift": np.zeros(2), "0.quantile.factor": np.ones(2)},
        {"0.quantile.quantiles": np.arange(3.0)},
        {"0.quantile.quantiles": np.ones((1, 2))},
        {"0.quantile.quantiles": np.array([[0.0, 1.0], [1.0, 0.0]])},
        {"0.quantile.quantiles": np.array([[0.0, 1.0], [1.0, np.nan]])},
        {"0.quantile.quantiles": np.ones((2, 2), np.float32)},
        {
            "0.quantile.quantiles": np.ones((2, 2)),
            "1.robust.shift": np.zeros(3),
            "1.robust.factor": np.ones(3),
        },
        {"0.center.shift": np.zeros(2), "0.center.factor": np.ones(2), "0.center.x": np.ones(2)},
        {
            "0.center.shift": np.zeros(2),
            "0.center.factor": np.ones(2),
            "1.scale.shift": np.zeros(3),
            "1.scale.factor": np.ones(3),
        },
    ],
    ids=lambda arrays: ",".join(arrays)[:40],
)
def test_foreign_arrays_are_refused(arrays: dict[str, np.ndarray]) -> None:
    with pytest.raises(CheckpointError, match=r"\Apreprocessing [^\n]*\Z"):
        Preprocessing.from_arrays(arrays)
