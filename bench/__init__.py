"""How fast a referral is decided, beside the floors of the machine at hand: `make bench`.

`__main__` runs the measurements, `scene` starts what is measured, `load` sends requests, `floor` is
the least that a web service with a database can do. Figures of one machine say little: what is
printed first, and what may be quoted, are ratios of figures measured in turns in one run.
"""
