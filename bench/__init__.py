"""How fast a referral is decided, beside the floors of the machine at hand: `make bench`.

`__main__` runs the measurements (`measure` has their order), `scene` starts what is measured,
`sides` makes the requests and `load` sends them; `floor` is the least that a web service with a
database can do, `same_rows` the least that writes what a referral becomes. `cost` counts what each
request asks of the database, `whole` the CPU until all have heard, `years` what a large stock
changes. Figures of one machine say little: what is printed first, and what may be quoted, are
ratios of figures measured in turns in one run.
"""
