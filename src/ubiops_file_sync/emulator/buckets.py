"""Projects and buckets, kept in memory and written through to the index."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import replace

import msgspec

from .clock import Clock
from .database import Database
from .records import Bucket, Project, Provider


class Buckets:
    """Every project and bucket. May be used by several threads."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._projects = {
            name: msgspec.json.decode(record, type=Project)
            for name, record in database.rows("SELECT name, record FROM projects")
        }
        self._buckets: dict[tuple[str, str], Bucket] = {}
        self._by_id: dict[str, Bucket] = {}
        for seq, record in database.rows("SELECT seq, record FROM buckets"):
            self._remember(replace(msgspec.json.decode(record, type=Bucket), seq=seq))

    def projects(self) -> list[Project]:
        """Every project, by name."""
        return sorted(self._projects.values(), key=lambda project: project.name)

    def project(self, name: str) -> Project | None:
        """The project of that name."""
        return self._projects.get(name)

    def add_project(self, name: str) -> Project:
        """The project of that name, made if it is not there."""
        with self._database.lock:
            project = self._projects.get(name)
            if project is None:
                project = Project(str(uuid.uuid4()), name, self._clock.stamp_us())
                self._database.run(
                    "INSERT INTO projects VALUES (?, ?)", (name, msgspec.json.encode(project))
                )
                self._projects[name] = project
            return project

    def of_project(self, project: str) -> Iterator[Bucket]:
        """The project's buckets, by name."""
        for _, bucket in sorted(self._buckets.items()):
            if bucket.project == project:
                yield bucket

    def find(self, project: str, name: str) -> Bucket | None:
        """The bucket of that name."""
        return self._buckets.get((project, name))

    def by_id(self, bucket_id: str) -> Bucket | None:
        """The bucket that a signed URL names."""
        return self._by_id.get(bucket_id)

    def add(self, project: str, name: str, provider: Provider) -> Bucket | None:
        """A new bucket with default settings; None: there is one of that name."""
        with self._database.lock:
            if (project, name) in self._buckets:
                return None
            now_us = self._clock.stamp_us()
            bucket = Bucket(str(uuid.uuid4()), project, name, provider, now_us, now_us)
            seq = self._database.insert(
                "INSERT INTO buckets (record) VALUES (?)", (msgspec.json.encode(bucket),)
            )
            return self._remember(replace(bucket, seq=seq))

    def save(self, bucket: Bucket) -> Bucket:
        """Write changed settings."""
        with self._database.lock:
            bucket = replace(bucket, updated_us=self._clock.stamp_us())
            self._database.run(
                "UPDATE buckets SET record = ? WHERE seq = ?",
                (msgspec.json.encode(bucket), bucket.seq),
            )
            return self._remember(bucket)

    def remove(self, bucket: Bucket) -> None:
        """Forget the bucket. Its objects are another's care."""
        with self._database.lock:
            self._database.run("DELETE FROM buckets WHERE seq = ?", (bucket.seq,))
            self._buckets.pop((bucket.project, bucket.name), None)
            self._by_id.pop(bucket.id, None)

    def _remember(self, bucket: Bucket) -> Bucket:
        self._buckets[bucket.project, bucket.name] = bucket
        self._by_id[bucket.id] = bucket
        return bucket
