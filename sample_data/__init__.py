"""Sample questions, the embedded teaching model and the script that trains it."""
