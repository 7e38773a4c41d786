"""The page that shows what a workspace's models are worth, and the tables and figures on it."""
