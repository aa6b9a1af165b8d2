"""What a run stands on, whether it trains or scores: processes, signals, CUDA graphs, the search for NaN."""
