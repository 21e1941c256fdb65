"""What a picture is written as: a module for each suffix, whose ``render(picture) -> str`` writes it."""
