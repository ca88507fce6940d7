"""The parts of an exchange, pure: amounts, orders, books, accounts, the tape."""
