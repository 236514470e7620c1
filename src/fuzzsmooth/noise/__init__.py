"""What the smoothed classifier averages over: noise of the text and noise of the parameters."""
