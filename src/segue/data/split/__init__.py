"""What is learned from and what is judged by, as views."""
