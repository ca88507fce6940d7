"""arbplatform: a self-hosted platform for quantitative crypto arbitrage."""
