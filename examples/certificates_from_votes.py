"""Certificates from votes of your own: no model, no torch, two functions.

Delete each word of a text with probability .9, ask any classifier about 1,000 such copies, and count.
If 990 of them got the label, this is what may be claimed, except with probability 1 in 1,000.

Prints::

    P[label] >= 0.976
    edits that change nothing: 6
    insertions into this text that change nothing: 6
    words of this text that may have been inserted: 28
    the vote itself may be wrong with probability at most 5e-278
"""

from fuzzsmooth.certify import backward_radius, clopper_pearson_lower, radius, vote_error

RATE, DRAWS, VOTES, ALPHA = 0.9, 1000, 990, 1e-3

p_lower = clopper_pearson_lower(VOTES, DRAWS, ALPHA)
print(f"P[label] >= {p_lower:.3f}")
print("edits that change nothing:", radius(p_lower, RATE, "edit"))
print("insertions into this text that change nothing:", radius(p_lower, RATE, "insert"))
# The text as received, of which an attacker may have written a part: the larger radius, another name.
print("words of this text that may have been inserted:", backward_radius(p_lower, RATE, "insert"))
error = vote_error([VOTES, DRAWS - VOTES])
print(f"the vote itself may be wrong with probability at most {error:.2g}")
