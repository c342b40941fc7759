"""Matrix sensing: what is known of gradient descent on a factor."""
