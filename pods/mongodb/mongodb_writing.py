"""What is staged, brought to a collection in steps that can be done again.

A document's ``_id`` is made of the run and its place in it, so one that is written twice is one.
Rows of ``upsert`` are found by their key. What replaces others is made in a collection of our own,
which then takes the other's name. How far a run is, is noted after each step.
"""

from __future__ import annotations

from pymongo import ReplaceOne, UpdateOne

from pypods.connectors.errors import DataError
from pypods.connectors.names import short_hash

from .mongodb_notes import COLLECTION
from .mongodb_values import to_bson

CHUNK_ROWS = 1000
ID = "_id"
RENAMED = b"renamed"
KEY_INDEX = "pypods_key"
_OF_AN_INDEX = ("v", "ns", "key", "background")


def check(staging, run):
    """Raise an error for keys, or ids of their own, that are there twice."""
    if run.key and run.mode != "append":
        staging.refuse_twice(run)
    if ID not in run.source_schema.names or run.mode == "upsert":
        return
    collection = staging.session.database[staging.stream.name]
    seen = set()
    for batch in staging.staged(run, run.schema):
        ids = to_bson(batch.column(ID), batch.schema.field(ID))
        taken = next((each for each in ids if each is None or each in seen), False)
        seen.update(ids)
        if taken is False and run.mode == "append":
            there = collection.find_one({ID: {"$in": ids}}, {ID: 1})
            taken = False if there is None else there[ID]
        if taken is not False:
            raise DataError(
                f"run {run.run!r} of {staging.shown} has a document with the _id {taken!r}, which "
                f"is none, or is there; nothing was changed",
                column=ID,
            )


class Writer:
    """Applies a run."""

    def __init__(self, staging, run, schema):
        self.staging = staging
        self.run = run
        self.schema = schema
        self.database = staging.session.database
        self.replaces = run.mode == "replace"
        self.target = staging.stream.name
        name = short_hash(self.target, run.run)
        self.start = f"{name}-"
        self.new = f"{COLLECTION}_{name}"
        self.collection = self.database[self.new if self.replaces else self.target]
        self.mark = f"{staging.ledger.run_folder(run.run)}/applied"

    def apply(self):
        """Write what is not there yet."""
        store = self.staging.store
        noted = store.read(self.mark)
        if noted == RENAMED:
            return
        if noted is None:
            self._begin()
        done, at = int(noted or b"0"), 0
        for batch in self.staging.staged(self.run, self.schema):
            for begin in range(0, batch.num_rows, CHUNK_ROWS):
                rows = batch.slice(begin, CHUNK_ROWS)
                if at >= done:
                    self._write(rows, at)
                    store.write(self.mark, b"%d" % (at + rows.num_rows))
                at += rows.num_rows
        if self.replaces:
            self._rename()
            store.write(self.mark, RENAMED)

    def _begin(self):
        """Make the collection, and the index that rows are found by."""
        if self.replaces:
            self.collection.drop()
        if self.collection.name not in self.database.list_collection_names():
            self.database.create_collection(self.collection.name)
        if self.run.mode == "upsert" and self.run.key != [ID]:
            self.collection.create_index([(name, 1) for name in self.run.key], name=KEY_INDEX)

    def _write(self, rows, at):
        columns = [
            to_bson(column, field)
            for column, field in zip(rows.columns, self.schema)
            if field.name in self.run.source_schema.names
        ]
        names = [name for name in self.schema.names if name in self.run.source_schema.names]
        documents = [dict(zip(names, row)) for row in zip(*columns)]
        requests = [self._request(document, at + n) for n, document in enumerate(documents)]
        self.collection.bulk_write(requests, ordered=True)

    def _request(self, document, number):
        own = f"{self.start}{number:012d}"
        if self.run.mode != "upsert":
            document = {ID: own, **document}
            return ReplaceOne({ID: {"$eq": document[ID]}}, document, upsert=True)
        found = {name: {"$eq": document[name]} for name in self.run.key}
        changes = {"$set": {name: each for name, each in document.items() if name != ID}}
        if ID not in document:
            changes["$setOnInsert"] = {ID: own}
        if not changes["$set"]:
            changes = {"$setOnInsert": document}
        return UpdateOne(found, changes, upsert=True)

    def _rename(self):
        """Let the new collection, with the indexes of the old one, take its name."""
        if self.new not in self.database.list_collection_names():
            return  # It has it already.
        for name, index in self.database[self.target].index_information().items():
            if name != "_id_":
                options = {key: each for key, each in index.items() if key not in _OF_AN_INDEX}
                self.collection.create_index(index["key"], name=name, **options)
        self.collection.rename(self.target, dropTarget=True)
