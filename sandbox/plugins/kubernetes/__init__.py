"""Stand-in for the kubernetes provider plugin: five kinds, a real API server behind them."""
