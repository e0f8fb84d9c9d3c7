"""What Redis keeps for us: each folder of notes is a hash, whose fields are the names in it."""

from __future__ import annotations

from pypods.connectors.files.ledger import FOLDER
from pypods.connectors.stores.notes import Notes

#: What every key of ours begins with.
OURS = FOLDER + "/"
APPLIED = "/applied"


class RedisNotes(Notes):
    """Notes in hashes; one HSET is one step."""

    def __init__(self, client):
        self.client = client

    def key(self, folder):
        """Return the key of a folder's hash."""
        return folder if folder.startswith(OURS) else OURS + folder

    def _place(self, path):
        folder, _, name = path.rpartition("/")
        return self.key(folder), name

    def read(self, path):
        return self.client.hget(*self._place(path))

    def write(self, path, content):
        key, name = self._place(path)
        self.client.hset(key, name, content)

    def remove(self, path):
        self.client.hdel(*self._place(path))

    def names(self, path):
        return sorted(name.decode() for name in self.client.hkeys(self.key(path)))

    def remove_tree(self, path):
        key = self.key(path)
        self.client.delete(key, key + APPLIED)
