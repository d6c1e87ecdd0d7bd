"""What is shown: the surface, the sampler that draws with a propensity, and the evidence for each item."""
