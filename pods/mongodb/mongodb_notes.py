"""What MongoDB keeps for us: documents of the collection ``_pypods``, by their paths.

A document holds 16 MiB; what is larger has its end in documents of their own, written before.
"""

from __future__ import annotations

from pypods.connectors.stores.notes import Notes

COLLECTION = "_pypods"
PIECE_BYTES = 8 * 2**20


class MongodbNotes(Notes):
    """Notes as documents: ``folder``, ``name``, ``data``, and how many ``more`` there are."""

    def __init__(self, database):
        self.notes = database[COLLECTION]

    def read(self, path):
        found = self.notes.find_one({"_id": {"$eq": path}})
        if found is None:
            return None
        pieces = [found["data"]]
        for number in range(found["more"]):
            piece = self.notes.find_one({"_id": {"$eq": _piece(path, number)}})
            if piece is None:
                return None
            pieces.append(piece["data"])
        return b"".join(pieces)

    def write(self, path, content):
        rest = [
            content[at : at + PIECE_BYTES] for at in range(PIECE_BYTES, len(content), PIECE_BYTES)
        ]
        for number, data in enumerate(rest):
            self._put(_piece(path, number), {"of": path, "data": data})
        folder, _, name = path.rpartition("/")
        note = {"folder": folder, "name": name, "data": content[:PIECE_BYTES], "more": len(rest)}
        self._put(path, note)

    def _put(self, place, note):
        self.notes.replace_one({"_id": {"$eq": place}}, {"_id": place, **note}, upsert=True)

    def remove(self, path):
        self.notes.delete_one({"_id": {"$eq": path}})
        self.notes.delete_many({"of": {"$eq": path}})

    def names(self, path):
        found = self.notes.find({"folder": {"$eq": path}}, {"name": 1})
        return sorted(each["name"] for each in found)

    def remove_tree(self, path):
        for name in self.names(path):
            self.remove(f"{path}/{name}")


def _piece(path, number):
    return f"{path}\n{number}"
