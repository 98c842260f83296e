"""What we claim about speed, as a command: `make bench`.

stage.py     one throw-away PostgreSQL, our example app and the peers on it, each in a process of its own
load.py      the client: keep-alive connections that ask again as soon as they are answered
figures.py   what was measured, beside what was promised
rows/        one file per group of measurements; a new file with `ROWS` is found by itself
peers/       the same notes in other frameworks, plainly written; installed on demand into .peers/
"""
