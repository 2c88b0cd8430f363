"""The explorer in a browser: one explorer process for every page that is open."""
