"""Arrow's tables and arrays through the C data interface: no Arrow library on either side.

The interface: https://arrow.apache.org/docs/format/CDataInterface.html, its capsules:
https://arrow.apache.org/docs/format/CDataInterface/PyCapsuleInterface.html.
"""

__all__ = ["checks", "layouts", "reading", "serving", "structures", "values"]
