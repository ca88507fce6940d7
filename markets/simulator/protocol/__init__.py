"""The spot wire protocol of one exchange, as its public documentation describes it."""
