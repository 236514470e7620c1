"""The grid: many experiments as cells that are measured once, by any number of processes, and tables of them.

What reads (``store``, ``measured``, ``tables``) needs no torch; what measures is imported where it is run.
"""
