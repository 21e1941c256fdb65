"""The nouns of the compiler: diagnostics, tensors, costs, declarations, graphs.

Standard library and pydantic only; every other floor may import this one.
"""
