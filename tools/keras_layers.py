"""Write archspec/ops/keras_layers.json, what the ``keras`` op knows of Keras's layers, from the installed Keras.

python tools/keras_layers.py          write it
python tools/keras_layers.py --check  fail if it is stale

Names, arguments and defaults are Keras's. What its signatures do not say stands here: the family of each layer, which
``archspec.ops.keras_rules`` has the rules of, and what an argument without a default takes. A layer that is in no list
ends the tool, so that a new one of Keras's is decided upon.
"""

from __future__ import annotations

import inspect
import json
import sys
from pathlib import Path
from typing import Any

import keras
from generated import settled

TABLE = Path(__file__).parent.parent / "archspec" / "ops" / "keras_layers.json"

RANKS = ("1D", "2D", "3D")


def _ranked(*stems: str, suffix: str = "", ranks: tuple[str, ...] = RANKS) -> list[str]:
    return [f"{stem}{rank}{suffix}" for stem in stems for rank in ranks]


FAMILIES: dict[str, list[str]] = {
    "elementwise": [
        *("ActivityRegularization", "AlphaDropout", "Dropout", "ELU", "GaussianDropout", "GaussianNoise", "Identity"),
        *("LeakyReLU", "ReLU"),
    ],
    "same": ["Activation", *_ranked("SpatialDropout")],
    "along_axis": ["Softmax", "UnitNormalization"],
    "rescaled": ["Rescaling"],
    "image": [
        *("AugMix", "AutoContrast", "ContrastLimitedAdaptiveHistogramEqualization", "Equalization", "RandAugment"),
        *("RandomBrightness", "RandomColorDegeneration", "RandomColorJitter", "RandomContrast"),
        *("RandomElasticTransform", "RandomErasing", "RandomFlip", "RandomGaussianBlur", "RandomGrayscale"),
        *("RandomHue", "RandomInvert", "RandomPerspective", "RandomPosterization", "RandomRotation"),
        *("RandomSaturation", "RandomSharpness", "RandomShear", "RandomTranslation", "RandomZoom", "Solarization"),
    ],
    "dense": ["Dense"],
    "einsum": ["EinsumDense"],
    "conv": _ranked("Conv"),
    "conv_transpose": _ranked("Conv", suffix="Transpose"),
    "depthwise_conv": _ranked("DepthwiseConv", ranks=("1D", "2D")),
    "separable_conv": _ranked("SeparableConv", ranks=("1D", "2D")),
    "embedding": ["Embedding", "ReversibleEmbedding"],
    "batch_norm": ["BatchNormalization"],
    "layer_norm": ["LayerNormalization"],
    "group_norm": ["GroupNormalization"],
    "rms_norm": ["RMSNormalization"],
    "prelu": ["PReLU"],
    "pool": _ranked("AveragePooling", "MaxPooling"),
    "global_pool": _ranked("GlobalAveragePooling", "GlobalMaxPooling"),
    "adaptive_pool": _ranked("AdaptiveAveragePooling", "AdaptiveMaxPooling"),
    "crop": _ranked("Cropping"),
    "pad": _ranked("ZeroPadding"),
    "upsample": _ranked("UpSampling"),
    "resize": ["CenterCrop", "RandomCrop", "Resizing"],
    "flatten": ["Flatten"],
    "reshape": ["Reshape"],
    "permute": ["Permute"],
    "repeat": ["RepeatVector"],
    "recurrent": ["GRU", "LSTM", "SimpleRNN"],
    "conv_recurrent": _ranked("ConvLSTM"),
    "bins": ["Discretization"],
    "categories": ["CategoryEncoding"],
    "stated": ["MelSpectrogram"],
    "stated_fourier": ["STFTSpectrogram"],
}
REFUSED = {
    "runs code or opens a file of its own, which a spec does not": (
        *("FlaxLayer", "JaxLayer", "Lambda", "TFSMLayer", "TorchModuleWrapper"),
    ),
    "takes other layers": (
        *("Bidirectional", "Pipeline", "RNN", "SpectralNormalization", "StackedRNNCells", "TimeDistributed", "Wrapper"),
    ),
    "is a step in time of another layer": ("GRUCell", "LSTMCell", "SimpleRNNCell"),
    "takes several tensors": (
        *("Add", "AdditiveAttention", "Attention", "Average", "Concatenate", "Dot", "GroupQueryAttention"),
        *("HashedCrossing", "Maximum", "Minimum", "MultiHeadAttention", "Multiply", "Subtract"),
    ),
    "learns from data before training, or reads text": (
        *("Hashing", "IntegerLookup", "Normalization", "StringLookup", "TextVectorization"),
    ),
    "mixes examples or changes labels": ("CutMix", "MaxNumBoundingBoxes", "MixUp"),
    "marks padding, which archspec follows from its own ops": ("Masking",),
    "is no layer of a network": ("InputLayer", "Layer"),
}
UNUSED = {
    *("self", "args", "kwargs", "name", "dtype", "trainable", "seed", "data_format", "weights", "sparse"),
    *("lora_rank", "lora_alpha", "quantization_config", "gptq_unpacked_column_size", "noise_shape", "reverse_dtype"),
    *("use_cudnn", "unroll", "stateful", "return_state", "mask_zero", "renorm", "renorm_clipping", "renorm_momentum"),
    *("synchronized", "num_bins", "epsilon_bins", "unit_forget_bias", "all_ops"),
}
"""Arguments that concern places, types and code rather than the function, that make a mask, several outputs, or are
beyond what the rules know."""
KINDS: dict[str, Any] = {
    **dict.fromkeys(("filters", "height", "width", "num_tokens", "units", "input_dim", "output_dim", "n"), "int"),
    **dict.fromkeys(("groups", "depth_multiplier", "fft_length", "frame_step", "sequence_length"), "int"),
    **dict.fromkeys(("kernel_size", "pool_size", "strides", "dilation_rate", "output_size", "size", "dims"), "sizes"),
    **dict.fromkeys(("target_shape", "output_padding", "shared_axes", "axis", "cropping", "tile_grid_size"), "sizes"),
    **dict.fromkeys(("rate", "stddev", "max_value", "max_freq", "logit_soft_cap"), "number"),
    **dict.fromkeys(("bin_boundaries", "scale", "offset", "factor", "x_factor", "y_factor", "sigma"), "numbers"),
    **dict.fromkeys(("height_factor", "width_factor", "addition_factor", "threshold_factor"), "numbers"),
    **dict.fromkeys(("brightness_factor", "contrast_factor", "saturation_factor", "hue_factor"), "numbers"),
    **dict.fromkeys(("value_range", "fill_value"), "numbers"),
    **dict.fromkeys(("equation", "bias_axes"), "text"),
    **dict.fromkeys(("activation", "recurrent_activation"), "activation"),
    "output_shape": "open_sizes",
}
PADDING = ["valid", "same"]
FILLS = ["constant", "reflect", "wrap", "nearest"]
WINDOWS = ["hann", "hamming"]
OF_LAYER: dict[tuple[str, str], Any] = {
    **{(name, "padding"): PADDING for family in ("conv", "conv_transpose", "pool") for name in FAMILIES[family]},
    **{(name, "padding"): PADDING for family in ("depthwise_conv", "separable_conv") for name in FAMILIES[family]},
    **{(name, "padding"): PADDING for name in (*FAMILIES["conv_recurrent"], "STFTSpectrogram")},
    **{(name, "padding"): "sizes" for name in FAMILIES["pad"]},
    **{(name, "padding"): [*PADDING, "causal"] for name in ("Conv1D", "SeparableConv1D")},
    **{(name, "scale"): "bool" for name in ("BatchNormalization", "LayerNormalization", "GroupNormalization")},
    **{(name, "axis"): "int" for name in ("BatchNormalization", "GroupNormalization", "RMSNormalization")},
    **{(name, "interpolation"): ["bilinear", "nearest"] for name in FAMILIES["image"]},
    **{(name, "fill_mode"): FILLS for name in FAMILIES["image"]},
    **{(name, "window"): WINDOWS for name in ("MelSpectrogram", "STFTSpectrogram")},
    ("RandomErasing", "scale"): "numbers",
    ("RandAugment", "factor"): "number",
    ("UpSampling2D", "interpolation"): ["nearest", "bilinear", "bicubic", "lanczos3", "lanczos5"],
    ("Resizing", "interpolation"): ["bilinear", "nearest", "bicubic", "lanczos3", "lanczos5", "area"],
    ("Resizing", "fill_mode"): ["constant"],
    ("RandomFlip", "mode"): ["horizontal", "vertical", "horizontal_and_vertical"],
    ("CategoryEncoding", "output_mode"): ["multi_hot", "one_hot"],
    ("Discretization", "output_mode"): ["int"],
    ("STFTSpectrogram", "mode"): ["log", "magnitude", "psd", "real", "imag", "angle", "stft"],
    ("STFTSpectrogram", "scaling"): ["density", "spectrum"],
    ("Discretization", "epsilon"): "number",
}
REQUIRED = {("Discretization", "bin_boundaries"), ("CategoryEncoding", "num_tokens")}
"""Arguments that Keras can learn from data, or does without until then."""
ENDINGS = {"_initializer": "initializer", "_regularizer": "regularizer", "_constraint": "constraint"}
STEADY = {"CenterCrop", "Resizing"}
"""Layers of the kind that augments which do the same whether or not it is training."""
RANDOM = {
    *("AlphaDropout", "AugMix", "Dropout", "GaussianDropout", "GaussianNoise", "RandAugment", "Solarization"),
    *_ranked("SpatialDropout"),
    *(name for names in FAMILIES.values() for name in names if name.startswith("Random")),
}


def layers() -> dict[str, type]:
    """Every name of a layer that Keras exports."""
    found = ((name, getattr(keras.layers, name)) for name in dir(keras.layers))
    return {n: k for n, k in found if inspect.isclass(k) and issubclass(k, keras.Layer)}


def augments(kind: type) -> bool:
    """Whether a layer takes each call for one of training that does not say otherwise, as those of an exported file."""
    training = inspect.signature(kind.call).parameters.get("training")
    return training is not None and training.default is True


def kind_of(layer: str, argument: str, default: Any) -> Any:
    """What an argument takes."""
    if (layer, argument) in OF_LAYER:
        return OF_LAYER[layer, argument]
    if found := next((kind for ending, kind in ENDINGS.items() if argument.endswith(ending)), None):
        return found
    if argument in KINDS:
        return KINDS[argument]
    for kind, name in ((bool, "bool"), (int, "int"), (float, "number"), (str, "text")):
        if isinstance(default, kind):
            return name
    raise SystemExit(f"what does {layer}.{argument} take?")


def row(name: str, family: str) -> dict[str, Any]:
    """One layer."""
    arguments: dict[str, list[Any]] = {}
    for argument, declared in inspect.signature(layers()[name].__init__).parameters.items():
        if argument in UNUSED:
            continue
        kind = kind_of(name, argument, declared.default)
        needed = declared.default is declared.empty or (name, argument) in REQUIRED
        # What Keras writes as a name here, archspec has as a declaration: null is Keras's own.
        default = None if kind in ("activation", *ENDINGS.values()) else declared.default
        arguments[argument] = [kind] if needed else [kind, default]
    return {"family": family, "arguments": arguments, **({"is_random": True} if name in RANDOM else {})}


def made() -> dict[str, Any]:
    """The whole table."""
    known = {name: family for family, names in FAMILIES.items() for name in names}
    why = {name: reason for reason, names in REFUSED.items() for name in names}
    exported = layers()
    for name in [name for name in known if augments(exported[name]) and name not in STEADY]:
        del known[name]
        why[name] = "changes examples outside of training, too: augmentation stands in the run file"
    classes = {kind: name for name, kind in exported.items() if name in known or name in why}
    if odd := sorted(n for n, kind in exported.items() if kind not in classes):
        sys.exit(f"new in Keras {keras.__version__}: {', '.join(odd)}")
    others = {n: classes[kind] for n, kind in exported.items() if n not in known and n not in why}
    return {
        "layers": {name: row(name, known[name]) for name in sorted(known)},
        "others": dict(sorted(others.items())),
        "refused": dict(sorted(why.items())),
    }


def text() -> str:
    """A line for each entry."""
    sections = []
    for section, entries in made().items():
        lines = ",\n".join(f"    {json.dumps(k)}: {json.dumps(v)}" for k, v in entries.items())
        sections.append(f'  "{section}": {{\n{lines}\n  }}')
    return "{\n" + ",\n".join(sections) + "\n}\n"


if __name__ == "__main__":
    sys.exit(settled({TABLE: text()}))
