"""Excel workbooks: a sheet is a stream; read by calamine, written by XlsxWriter."""

from __future__ import annotations

from pypods.connectors.errors import ConflictError, SettingsError
from pypods.connectors.files.builder import fill_batch
from pypods.connectors.files.format import FILE_CAPABILITIES, file_settings
from pypods.connectors.files.untyped_format import UntypedFormat
from pypods.connectors.settings import Settings, setting

from . import excel_reading, excel_writing

__all__ = ["ExcelFormat"]

WRITTEN = ".xlsx"


class ExcelFormat(UntypedFormat):
    """Sheets of workbooks: ``book.xlsx/Sheet 1``, or ``book.xlsx`` if it has one."""

    name = "excel"
    title = "Excel files"
    settings = Settings(
        "excel",
        *file_settings(s3=False),
        setting(
            "columns", "mapping", "types of columns by their names, as {id: int64, price: "
            '"decimal(12,2) not null"}; others are found by looking at all cells',
        ),
        setting("header", "boolean", "whether the first row has the names", default=True),
    )  # fmt: skip
    capabilities = dict(
        FILE_CAPABILITIES, partition=False, longest_text=excel_writing.MAX_CELL_CHARACTERS
    )
    suffixes = (WRITTEN, ".xlsm", ".xlsb", ".xls", ".ods")
    has_parts = True
    in_s3 = False
    can_extend = False
    max_rows = excel_writing.MAX_LINES - 1

    def driver(self):
        """Return the libraries and their versions."""
        from importlib.metadata import version

        return f"python-calamine {version('python-calamine')}, XlsxWriter {version('xlsxwriter')}"

    def check_settings(self, settings):
        """Raise SettingsError for types that there are not."""
        self.declared(settings)

    # --- reading -------------------------------------------------------------------------------

    def parts(self, store, settings, path):
        """Return the names of the sheets."""
        return excel_reading.sheet_names(store, path)

    def column_names(self, source, path, declared):
        """Return the columns of a sheet."""
        return excel_reading.Sheet(source, path, declared).names

    def infer(self, source, names):
        """Return the fields of these columns, as all their cells have them."""
        return excel_reading.infer(source, names)

    def read(self, source, piece, schema, batch_rows):
        """Yield the rows of a sheet."""
        sheet = excel_reading.Sheet(source, piece["path"], list(self.declared(source.settings)))
        return excel_reading.read(sheet, schema, batch_rows)

    # --- writing -------------------------------------------------------------------------------

    def check_target(self, source, schema):
        """Raise an error for what a workbook cannot have, or would lose."""
        stream = source.stream
        if stream.kind == "file" and not stream.path.lower().endswith(WRITTEN):
            raise SettingsError(f"{stream.path}: workbooks are written as {WRITTEN} only")
        excel_writing.check_names(schema, stream.inner)
        if stream.kind == "file" and source.store.look(stream.path) is not None:
            mine = stream.inner or excel_writing.SHEET
            others = excel_reading.sheet_names(source.store, stream.path)
            if stream.inner is None and len(others) == 1:
                return
            others = [name for name in others if name != mine]
            if others:
                raise ConflictError(
                    f"{stream.path} has other sheets, which would be lost: "
                    f"{', '.join(map(repr, others))}; write another file"
                )

    def check_batch(self, settings, batch):
        """Raise DataError for a text that no cell can hold."""
        excel_writing.check_batch(batch)

    def write(self, source, path, file, schema, batches):
        """Write a workbook of one sheet."""
        filled = (fill_batch(batch, schema) for batch in batches)
        excel_writing.write(source, path, file, schema, filled)
