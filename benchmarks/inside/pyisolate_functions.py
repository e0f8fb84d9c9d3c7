"""What pyisolate's worker offers: it wants a class that both sides can import."""

import work
from pyisolate import ExtensionBase


class Functions(ExtensionBase):
    """An extension with one method, which calls functions of `work`."""

    async def run(self, name, args):
        return getattr(work, name)(*args)
