"""What archspec leans on in Keras and TensorFlow besides what they document: private names, replaced methods, orders.

One function each, used from wherever it is needed; nothing else in archspec reaches behind Keras's interface, but for
layers, which override what Keras's layers are made of. Each has a test in tests/backend/test_seams.py, which fails by
name where a release of Keras is built differently, and which runs before all others.
"""
