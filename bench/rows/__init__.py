"""Every measurement, in the order it is made. A new one is a file here and a line below."""

from bench.row import Row
from bench.rows import fees, limits, memory, money, pages, pairs, reads, requests, sight, start, webhooks, where

ROWS: list[Row] = [
    *start.ROWS,
    *memory.ROWS,
    *requests.ROWS,
    *reads.ROWS,
    *pages.ROWS,
    *where.ROWS,
    *pairs.ROWS,
    *sight.ROWS,
    *limits.ROWS,
    *webhooks.ROWS,
    *fees.ROWS,
    *money.ROWS,
]
