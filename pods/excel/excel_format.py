"""Excel workbooks: a sheet is a stream; read by calamine, written by XlsxWriter."""

from __future__ import annotations

import pyarrow as pa

from pypods.connectors.errors import ConflictError, SchemaError, SettingsError
from pypods.connectors.files.builder import fill_batch
from pypods.connectors.files.format import FILE_CAPABILITIES, FileFormat, file_settings
from pypods.connectors.settings import Settings, setting
from pypods.connectors.types import field_from_text

from . import excel_reading, excel_writing

__all__ = ["ExcelFormat"]

NOT_NULL = " not null"
WRITTEN = ".xlsx"


class ExcelFormat(FileFormat):
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
    capabilities = dict(FILE_CAPABILITIES, partition=False)
    suffixes = (WRITTEN, ".xlsm", ".xlsb", ".xls", ".ods")
    has_parts = True
    in_s3 = False
    can_extend = False
    can_evolve = True
    max_rows = excel_writing.MAX_LINES - 1

    def driver(self):
        """Return the libraries and their versions."""
        from importlib.metadata import version

        return f"python-calamine {version('python-calamine')}, XlsxWriter {version('xlsxwriter')}"

    def check_settings(self, settings):
        """Raise SettingsError for types that there are not."""
        self.declared(settings)

    def declared(self, settings):
        """Return the fields that the settings declare, by name."""
        fields = {}
        for name, text in (settings["columns"] or {}).items():
            if not isinstance(text, str):
                raise SettingsError(f"the type of column {name!r} is text, as int64, not {text!r}")
            required = text.lower().endswith(NOT_NULL)
            text = text[: -len(NOT_NULL)] if required else text
            fields[name] = field_from_text(name, text, not required)
        return fields

    # --- reading -------------------------------------------------------------------------------

    def parts(self, store, settings, path):
        """Return the names of the sheets."""
        return excel_reading.sheet_names(store, path)

    def names(self, source):
        """Return the columns of all files; one that is missing in some is NULL there."""
        declared = list(self.declared(source.settings))
        found = {}
        for file in source.files:
            found.update(dict.fromkeys(excel_reading.Sheet(source, file.path, declared).names))
        missing = [name for name in declared if name not in found]
        if found and missing:
            raise SchemaError(
                f"{source.stream.name} has no column {missing[0]!r}, which is declared; it has "
                f"{', '.join(map(repr, found))}"
            )
        return list(found)

    def schema(self, source):
        """Return declared types, those the files were written with, else what all cells are."""
        declared = {**source.remembered, **self.declared(source.settings)}
        names = self.names(source)
        inferred = excel_reading.infer(source, [name for name in names if name not in declared])
        return pa.schema([declared.get(name) or inferred[name] for name in names])

    def target_schema(self, source, wanted):
        """Return the columns of the files; what is not declared takes any type."""
        declared = {**source.remembered, **self.declared(source.settings)}
        given = {field.name: field for field in wanted}
        return pa.schema(
            [
                declared.get(name)
                or (given.get(name) or pa.field(name, pa.utf8())).with_nullable(True)
                for name in self.names(source)
            ]
        )

    def read_as(self, source, fields):
        """Return the source with these types of its columns."""
        made = source.of(source.files)
        declared = {**source.remembered, **self.declared(source.settings)}
        wanted = {field.name: field for field in fields}
        made.schema = pa.schema(
            [
                wanted.get(name) or declared.get(name) or pa.field(name, pa.utf8())
                for name in self.names(source)
            ]
        )
        return made

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
