"""The GeneratorState controller: takes back what generators created outside, when its time has come."""
