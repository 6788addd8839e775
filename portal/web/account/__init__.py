"""The pages about oneself: signing in and out, the second step, a forgotten password, what one is told and where."""
