"""How long what is no fact about money is kept, and its removal."""
