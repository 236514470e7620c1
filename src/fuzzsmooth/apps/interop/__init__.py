"""Protected models in the places where people already have their models: one integration a file.

Each needs the package that it speaks to, which an extra brings, and nothing here imports another's. Importing
this package imports none of them.
"""
