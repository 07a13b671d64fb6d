"""How good probabilities are: metrics, intervals, scores, and estimates without outcomes."""
