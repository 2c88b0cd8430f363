"""SQL over the store: what anyone may ask, and what helps to ask it."""
