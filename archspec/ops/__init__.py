"""The vocabulary: what each op is. One family a file; a file here is all it takes to add an op."""
