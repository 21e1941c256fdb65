"""Metrics: Keras's, as declarations. What is measured follows from the labels of the head's loss.

``check`` refuses a metric that says nothing about such predictions; ``lower`` crosses into Keras, where a metric that
wants other labels than the loss has, or probabilities where the head gives logits, gets them converted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import Field

from archspec.ir.declaration import Declaration
from archspec.ir.tensors import TensorSpec
from archspec.ops.arguments import PositiveInt
from archspec.ops.base import OpError
from archspec.ops.loss import Labels

if TYPE_CHECKING:
    import keras

Threshold = Annotated[float, Field(gt=0, lt=1)]

CLASSES: tuple[Labels, ...] = ("index", "one_hot")


class Metric(Declaration, package="archspec.ops"):
    """What is reported of a head's predictions and their targets. Order of rules: fields, ``check``, ``lower``."""

    measures: ClassVar[tuple[Labels, ...]] = ("index", "one_hot", "binary")
    """Labels that it says something about."""
    better: ClassVar[Literal["max", "min"]] = "max"
    """Which of two values is the better one."""

    @property
    def label(self) -> str:
        """What Keras's metric is called, and its column in logs."""
        return self.name

    def check(self, prediction: TensorSpec, labels: Labels) -> None:
        """Refuse what it cannot measure. Raises OpError."""
        if labels not in self.measures:
            said = {"numbers": "numbers", "binary": "yes or no for each channel"}.get(labels, "classes")
            raise OpError(f"{self.name} does not measure predictions of {said}")

    def lower(self, prediction: TensorSpec, labels: Labels, from_logits: bool = False) -> keras.Metric:
        """The Keras metric for predictions of this shape with such labels, called as this metric."""
        raise NotImplementedError


class Accuracy(Metric, name="accuracy"):
    """Share of predictions that are right: the class of the highest score, or each channel's yes or no."""

    def lower(self, prediction: TensorSpec, labels: Labels, from_logits: bool = False) -> keras.Metric:
        import keras

        if labels == "index":
            return keras.metrics.SparseCategoricalAccuracy(name="accuracy")
        if labels == "one_hot":
            return keras.metrics.CategoricalAccuracy(name="accuracy")
        return keras.metrics.BinaryAccuracy(name="accuracy", threshold=0.0 if from_logits else 0.5)


class TopK(Metric, name="top_k", main="k"):
    """Share of predictions whose right class is among the k highest scores."""

    measures = CLASSES

    k: PositiveInt = 5
    """How many scores count."""

    @property
    def label(self) -> str:
        return f"top_{self.k}"

    def check(self, prediction: TensorSpec, labels: Labels) -> None:
        super().check(prediction, labels)
        if prediction.channels is not None and self.k >= prediction.channels:
            raise OpError(
                f"top_k of {self.k} is always right for {prediction.channels} classes",
                argument="k",
                help=f"top_k: {max(1, (prediction.channels - 1) // 2)}, or accuracy",
            )

    def lower(self, prediction: TensorSpec, labels: Labels, from_logits: bool = False) -> keras.Metric:
        import keras

        kinds = {
            "index": keras.metrics.SparseTopKCategoricalAccuracy,
            "one_hot": keras.metrics.TopKCategoricalAccuracy,
        }
        return kinds[labels](self.k, name=self.label)


class Precision(Metric, name="precision", main="threshold"):
    """Share of what is predicted that is so, over all classes together."""

    threshold: Threshold = 0.5
    """Probability from which on a class is predicted."""

    def lower(self, prediction: TensorSpec, labels: Labels, from_logits: bool = False) -> keras.Metric:
        import keras

        return _on_shares(keras.metrics.Precision, prediction, labels, from_logits)(self.threshold, name="precision")


class Recall(Metric, name="recall", main="threshold"):
    """Share of what is so that is predicted, over all classes together."""

    threshold: Threshold = 0.5
    """Probability from which on a class is predicted."""

    def lower(self, prediction: TensorSpec, labels: Labels, from_logits: bool = False) -> keras.Metric:
        import keras

        return _on_shares(keras.metrics.Recall, prediction, labels, from_logits)(self.threshold, name="recall")


class F1(Metric, name="f1", main="average"):
    """2 · precision · recall / (precision + recall); the class of the highest score is what is predicted."""

    average: Literal["macro", "micro", "weighted"] = "macro"
    """The mean over classes, all decisions together, or the mean by how often a class occurs."""

    def check(self, prediction: TensorSpec, labels: Labels) -> None:
        super().check(prediction, labels)
        if prediction.rank != 1:
            raise OpError(f"f1 needs one prediction for each example, got {prediction}")

    def lower(self, prediction: TensorSpec, labels: Labels, from_logits: bool = False) -> keras.Metric:
        import keras

        threshold = 0.5 if labels == "binary" else None
        kind = _on_shares(keras.metrics.F1Score, prediction, labels, from_logits)
        return kind(average=self.average, threshold=threshold, name="f1")


class Auc(Metric, name="auc", main="curve"):
    """Area below a curve over all thresholds (200 of them)."""

    curve: Literal["roc", "pr"] = "roc"
    """Hits against false alarms, or precision against recall."""

    def lower(self, prediction: TensorSpec, labels: Labels, from_logits: bool = False) -> keras.Metric:
        import keras

        return _on_shares(keras.metrics.AUC, prediction, labels, from_logits)(curve=self.curve.upper(), name="auc")


class Iou(Metric, name="iou", main="ignore_class"):
    """Intersection over union of predicted and true positions, the mean over classes."""

    ignore_class: int | None = None
    """Label of positions that do not count (255 in Pascal VOC)."""

    def check(self, prediction: TensorSpec, labels: Labels) -> None:
        super().check(prediction, labels)
        if prediction.rank < 2:
            raise OpError(f"iou needs a prediction at each position, got {prediction}")

    def lower(self, prediction: TensorSpec, labels: Labels, from_logits: bool = False) -> keras.Metric:
        import keras

        if labels == "binary":
            return keras.metrics.BinaryIoU(threshold=0.0 if from_logits else 0.5, name="iou")
        return keras.metrics.MeanIoU(
            prediction.channels,
            ignore_class=self.ignore_class,
            sparse_y_true=labels == "index",
            sparse_y_pred=False,
            name="iou",
        )


def _numbers(keras_name: str) -> Any:
    """``lower`` of a metric of numbers."""

    def lower(self: Metric, prediction: TensorSpec, labels: Labels, from_logits: bool = False) -> keras.Metric:
        """The Keras metric for predictions of this shape with such labels, called as this metric."""
        import keras

        metric: keras.Metric = getattr(keras.metrics, keras_name)(name=self.name)
        return metric

    return lower


class Mse(Metric, name="mse"):
    """Mean of (target - prediction)²."""

    measures = ("numbers",)
    better = "min"
    lower = _numbers("MeanSquaredError")


class Rmse(Metric, name="rmse"):
    """Root of the mean of (target - prediction)²."""

    measures = ("numbers",)
    better = "min"
    lower = _numbers("RootMeanSquaredError")


class Mae(Metric, name="mae"):
    """Mean of |target - prediction|."""

    measures = ("numbers",)
    better = "min"
    lower = _numbers("MeanAbsoluteError")


class R2(Metric, name="r2"):
    """Share of the targets' variance that is explained."""

    measures = ("numbers",)
    lower = _numbers("R2Score")


class CosineSimilarity(Metric, name="cosine_similarity"):
    """Mean cosine of the angle between prediction and target."""

    measures = ("numbers",)
    lower = _numbers("CosineSimilarity")


def _on_shares(kind: type, prediction: TensorSpec, labels: Labels, from_logits: bool) -> type:
    """``kind``, which takes one-hot labels and probabilities, for labels and predictions as they are."""
    if labels != "index" and not from_logits:
        return kind
    from archspec.layers.metric import converted

    activation = ("sigmoid" if labels == "binary" else "softmax") if from_logits else None
    return converted(kind, prediction.channels if labels == "index" else None, activation)
