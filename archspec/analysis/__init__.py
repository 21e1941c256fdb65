"""Questions that a graph answers by arithmetic: what it costs, and how its nodes group into blocks."""
