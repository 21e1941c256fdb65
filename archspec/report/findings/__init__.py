"""What diagnostics are written as for programs: a module for each format, whose ``render(diagnostics)`` writes them."""
