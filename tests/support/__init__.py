"""What two test modules share, and what helps to change the tree."""
