"""The doctor: every hop of the chain in order, each with a verdict and what to do.

``chain.HOPS`` is the order; each file beside it looks at one part of the house. A look changes
nothing but for the probe call, which is a call of our own that no list shows.
"""
