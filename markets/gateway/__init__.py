"""The only door to a venue; ccxt is known in here alone."""

from markets.gateway import lean_ccxt

lean_ccxt.install()  # before any module in here imports ccxt
