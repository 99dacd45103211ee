"""What every benchmark shares: records of what was measured, and the page and plots made of them."""
