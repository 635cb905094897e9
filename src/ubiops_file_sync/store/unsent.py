"""What a watcher knows of the files that differ from what was last in step."""

from __future__ import annotations

from collections.abc import Iterable

from ubiops_file_sync.model import LocalEntry
from ubiops_file_sync.store.scratch import Scratch

_SEE = """
INSERT INTO file VALUES (:key, :size, :mtime_ns, :now, 0, :look)
ON CONFLICT (key) DO UPDATE SET
    since = iif(size = :size AND mtime_ns = :mtime_ns, since, :now),
    not_before = iif(size = :size AND mtime_ns = :mtime_ns, not_before, 0),
    size = :size, mtime_ns = :mtime_ns, look = :look
"""


class UnsentFiles(Scratch):
    """Files that are to go up, and since when each has been as it is.

    On disk if there are many (invariant I11). Times are seconds of a clock that only goes forward.
    """

    def __init__(self) -> None:
        super().__init__(
            "CREATE TABLE file (key TEXT PRIMARY KEY, size INTEGER, mtime_ns INTEGER, since REAL,"
            " not_before REAL, look INTEGER) WITHOUT ROWID"
        )
        self._look = 0

    def see(self, found: Iterable[LocalEntry], now_s: float) -> None:
        """Take what a look found, whole: whatever it did not find has nothing to be sent."""
        self._look += 1
        for entry in found:
            seen = {"key": entry.key, "size": entry.size, "mtime_ns": entry.mtime_ns}
            self._db.execute(_SEE, {**seen, "now": now_s, "look": self._look})
        self._db.execute("DELETE FROM file WHERE look < ?", (self._look,))

    def at_rest(self, since_s: float, now_s: float, most: int) -> list[str]:
        """Keys of files that have been as they are since then, and are not put off; sorted."""
        query = "SELECT key FROM file WHERE since <= ? AND not_before <= ? ORDER BY key LIMIT ?"
        return [key for (key,) in self._db.execute(query, (since_s, now_s, most))]

    def put_off(self, chosen: Iterable[str], until_s: float) -> None:
        """Leave some alone until then, unless they change."""
        rows = [(until_s, key) for key in chosen]
        self._db.executemany("UPDATE file SET not_before = ? WHERE key = ?", rows)
