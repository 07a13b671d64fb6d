"""Models: five families and two baselines, and the bundle that is trained, judged and served."""
