"""Step times and costs with other figures, against simulations with them."""
