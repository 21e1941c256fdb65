"""archspec: neural network architectures as text."""
