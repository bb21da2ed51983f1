"""Do the tests bite? Losses and methods with one thing changed, each run against its own tests."""
