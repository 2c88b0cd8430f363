"""Studies over the store: each a function from a cursor to rows that anyone can recompute."""
