"""Commands that show what responses did."""
