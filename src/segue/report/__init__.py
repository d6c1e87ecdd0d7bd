"""The report: what the lake holds, in sentences and figures, on a terminal and as one page that needs nothing else."""
