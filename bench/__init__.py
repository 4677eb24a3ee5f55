"""`make bench`: the figures the documentation quotes, measured on the machine at hand.

One module per figure; each answers a `Section` and knows nothing of the others. Not a load test of
AWS: the embedded stack shares its machine, so times are upper bounds and ratios are what counts.
"""
