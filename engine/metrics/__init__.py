"""The statistics behind the studies: pure functions of numbers, without the store."""
