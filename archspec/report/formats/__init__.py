"""What a table is written as: a module for each format, whose ``render(table) -> str`` writes it.

The modules of this folder are the formats that ``archspec table --format`` knows.
"""
