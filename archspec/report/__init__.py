"""What people and programs read of a graph: tables as text, markdown, HTML, CSV and JSON."""
