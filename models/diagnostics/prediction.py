"""How well something is predicted that is more than the class: numbers, sets of labels, one class of two."""

import numpy as np
from jaxtyping import Float, Int, Shaped

_RIDGE = 1.0  # penalty on squared coefficients of standardised features, summed over items


def mean_absolute_error(predicted: Float[np.ndarray, " n"], target: Float[np.ndarray, " n"]) -> float:
    """Mean of |predicted - target|, in the target's unit; nan without items."""
    return float(np.abs(predicted - target).mean()) if len(target) else float("nan")


def f1(decided: Shaped[np.ndarray, " n *c"], truth: Shaped[np.ndarray, " n *c"]) -> float:
    """2 TP / (2 TP + FP + FN) of 0 and 1, mean over labels (macro), those that neither has left out."""
    each = f1_by(*(np.asarray(a).reshape(len(a), -1) for a in (decided, truth)))
    occurs = np.isfinite(each)
    return float(each[occurs].mean()) if occurs.any() else float("nan")


def f1_by(decided: Shaped[np.ndarray, "n c"], truth: Shaped[np.ndarray, "n c"]) -> Float[np.ndarray, " c"]:
    """The same of each label; nan where neither has it."""
    yes, true = decided.astype(np.float64), truth.astype(np.float64)
    either = (yes + true).sum(axis=0)  # 2 TP + FP + FN = decided + true
    found: np.ndarray = 2 * (yes * true).sum(axis=0) / np.where(either > 0, either, np.nan)
    return found


def number_probe(
    train_z: Float[np.ndarray, "t d"], train_target: Float[np.ndarray, " t"], test_z: Float[np.ndarray, "n d"]
) -> Float[np.ndarray, " n"]:
    """Predictions of a ridge regression on standardised embeddings. A feature that does not vary is left at zero."""
    x, test = standardised(train_z, test_z)
    middle = train_target.mean()
    slope = np.linalg.solve(x.T @ x + _RIDGE * np.eye(x.shape[1]), x.T @ (train_target - middle))
    predicted: np.ndarray = middle + test @ slope
    return predicted


def label_probe(
    train_z: Float[np.ndarray, "t d"], train_labels: Shaped[np.ndarray, "t c"], test_z: Float[np.ndarray, "n d"]
) -> Int[np.ndarray, "n c"]:
    """Decisions of one logistic regression for each label, on standardised embeddings; a constant label stays so."""
    # scikit-learn takes two seconds to import, and only finished runs are probed.
    from sklearn.linear_model import LogisticRegression

    x, test = standardised(train_z, test_z)
    decided = np.zeros((len(test), train_labels.shape[1]), np.int64)
    for column, label in enumerate(train_labels.T.astype(np.int64)):
        constant = label.min() == label.max()
        model = None if constant else LogisticRegression(max_iter=2000).fit(x, label)
        decided[:, column] = label[0] if model is None else model.predict(test)
    return decided


def standardised(
    train: Float[np.ndarray, "t d"], test: Float[np.ndarray, "n d"]
) -> tuple[Float[np.ndarray, "t d"], Float[np.ndarray, "n d"]]:
    """Both by mean and deviation of the training rows; a feature that does not vary there becomes zero."""
    mean, spread = train.mean(axis=0, dtype=np.float64), train.std(axis=0, dtype=np.float64)
    varies = spread > np.finfo(train.dtype).eps * np.maximum(np.abs(mean), 1e-30)
    scale = np.where(varies, 1 / np.where(varies, spread, 1), 0)
    return (train - mean) * scale, (test - mean) * scale
