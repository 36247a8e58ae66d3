"""Where results go, one place a module. Never talks back to the loop, and never reads a flag."""
