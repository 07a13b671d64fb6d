"""What promotion, the drift monitor and the estimates would have done in past seasons."""
