"""Sources and transforms: what an example is, before TensorFlow is imported, and how it gets into a batch."""
