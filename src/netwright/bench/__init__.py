"""The bench: strategies compared on tables, with tests instead of anecdotes."""
