"""What every room may need: checks of arguments, seeds, files, locks, progress."""
