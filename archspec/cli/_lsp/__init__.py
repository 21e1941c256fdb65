"""The language server: ``places`` counts as editors do, ``open_text`` is what is known of a text, ``server`` speaks.

Only ``server`` imports pygls. What is known of a text is the frontend's: symbols, completions, the canonical form.
"""
