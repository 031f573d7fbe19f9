"""Which other image of the batch looks like an image, by perceptual hash; and which file is the very same.

Multi-index hashing (Norouzi et al., 2012): two hashes that differ in at most 7 of 64 bits differ in at most one bit of at least
one of four bands of 16 bits. So each hash is looked up by its bands, and by them with each one bit turned: exact within 7 bits,
without comparing all pairs. The bits of a band are taken from all frequencies alike, so that no band is the same in half the
batch. Images of one and the same hash are compared as one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

REACH = 7  # bits; one less than four bands × two bits

# Bits 0, 4, 8 ... of the hash are the first band, 1, 5, 9 ... the second.
_BANDS = " union all ".join(
    f"select hash, {band} as band, "
    + " | ".join(f"((hash >> {4 * bit + band} & 1) << {bit})" for bit in range(16))
    + " as part from _hashes"
    for band in range(4)
)


def find_neighbours(con: DuckDBPyConnection) -> None:
    """Fill ``_neighbours``: image_id, nearest_image_id, nearest_distance, duplicate_of.

    Args:
        con: shows ``_pictures`` with image_id, hash (UBIGINT) and content (a digest of the file).
    """
    con.execute(
        f"""
        create or replace temp table _hashes as
        select hash, min(image_id) as first_id, count(*) as images from _pictures where hash is not null group by hash;

        create or replace temp table _near as
        with parts as (
          {_BANDS}
        ), asked as (
          select hash, band, part from parts
          union all
          select hash, band, xor(part, 1::ubigint << turned::ubigint) from parts, range(16) t(turned)
        ), pairs as (
          select a.hash, p.hash as other, bit_count(xor(a.hash, p.hash))::bigint as distance
          from asked a join parts p using (band, part)
          where a.hash <> p.hash
        )
        select p.hash, min(distance) as distance, arg_min(h.first_id, (p.distance, h.first_id)) as nearest
        from pairs p join _hashes h on h.hash = p.other
        where distance <= {REACH} group by p.hash;

        create or replace temp table _neighbours as
        with second as (
          -- Of several images with one hash, the one with the smallest id has the next one for its nearest.
          select p.hash, min(p.image_id) as second_id
          from _pictures p join _hashes h using (hash) where h.images > 1 and p.image_id <> h.first_id group by p.hash
        ), same as (
          select content, min(image_id) as first_id from _pictures where content is not null
          group by content having count(*) > 1
        )
        select p.image_id,
               case when h.images > 1 then case when p.image_id = h.first_id then s.second_id else h.first_id end
                    else n.nearest end as nearest_image_id,
               case when h.images > 1 then 0 else n.distance end as nearest_distance,
               nullif(c.first_id, p.image_id) as duplicate_of
        from _pictures p left join _hashes h using (hash) left join second s using (hash) left join _near n using (hash)
          left join same c using (content);
        drop table _near;
        drop table _hashes;
        """
    )
