"""CSV files: their settings, their columns, and which module does what with them."""

from __future__ import annotations

import codecs

from pypods.connectors.errors import SchemaError, SettingsError
from pypods.connectors.files.builder import fill_batch
from pypods.connectors.files.format import FILE_CAPABILITIES, file_settings, spread
from pypods.connectors.files.untyped_format import UntypedFormat
from pypods.connectors.settings import Settings, setting
from pypods.connectors.text_forms import BINARY_FORMS
from pypods.connectors.types import schema_from_rows, text_of

from . import csv_inference, csv_ranges, csv_reading, csv_writing

__all__ = ["CsvFormat"]

COMPRESSIONS = {"none": "", "gzip": ".gz", "zstd": ".zst"}


class CsvFormat(UntypedFormat):
    """CSV files, plain or compressed, and folders of them."""

    name = "csv"
    title = "CSV files"
    settings = Settings(
        "csv",
        *file_settings(s3=True),
        setting(
            "columns", "mapping", "types of columns by their names, as {id: int64, price: "
            '"decimal(12,2) not null"}; others are found by looking at all values',
        ),
        setting("header", "boolean", "whether the first line has the names", default=True),
        setting("delimiter", "text", "what is between values: a comma, in .tsv files a tab"),
        setting("quote", "text", "what is around texts; none if empty", default='"'),
        setting(
            "nulls", "text", "what stands for NULL where it is not in quotes; several have | "
            "between them, and the first one is written",
            default="",
        ),
        setting("encoding", "text", "how characters are written", default="utf-8"),
        setting("binary", "text", "how bytes are written: base64, hex", default="base64"),
        setting(
            "compression", "text", "of the files of folders that are written: none, gzip, zstd",
            default="none",
        ),
    )  # fmt: skip
    capabilities = FILE_CAPABILITIES
    suffixes = tuple(
        kind + compression for kind in (".csv", ".tsv", ".txt") for compression in
        COMPRESSIONS.values()
    )  # fmt: skip

    def check_settings(self, settings):
        """Raise SettingsError for what cannot be a delimiter, a quote, an encoding or a type."""
        for name, most in (("delimiter", 1), ("quote", 1)):
            text = settings[name]
            if text is not None and (len(text.encode()) > most or text in ("\r", "\n")):
                raise SettingsError(f"{name} is one ASCII character, not {text!r}")
        if settings["delimiter"] == "" or settings["delimiter"] == settings["quote"]:
            raise SettingsError("delimiter and quote are two characters that differ")
        if settings["binary"] not in BINARY_FORMS:
            raise SettingsError(f"binary is {' or '.join(BINARY_FORMS)}")
        if settings["compression"] not in COMPRESSIONS:
            raise SettingsError(f"compression is {', '.join(COMPRESSIONS)}")
        try:
            codecs.lookup(settings["encoding"]).encode("")
        except (LookupError, TypeError):
            raise SettingsError(f"there is no encoding {settings['encoding']!r}") from None
        if any(char in text for text in settings["nulls"].split("|") for char in '\r\n"'):
            raise SettingsError("what stands for NULL has no quote and no line end")
        self.declared(settings)

    def suffix(self, settings):
        """Return how the names of files end that are written into a folder."""
        kind = ".tsv" if settings["delimiter"] == "\t" else ".csv"
        return kind + COMPRESSIONS[settings["compression"]]

    # --- reading -------------------------------------------------------------------------------

    def column_names(self, source, path, declared):
        """Return the columns of a file."""
        return csv_reading.column_names(source, path, declared)

    def infer(self, source, names):
        """Return the fields of these columns, as all their values have them."""
        return csv_inference.infer(source, names)

    def remember(self, source):
        """Return the types, so that not every worker looks at all values."""
        return {"types": [[each.name, text_of(each), each.nullable] for each in source.schema]}

    def recall(self, source, partition):
        """Take the types."""
        if "types" in partition:
            source.schema = schema_from_rows([tuple(each) for each in partition["types"]])

    def read(self, source, piece, schema, batch_rows):
        """Yield the rows of a file, or of some of its lines."""
        return csv_reading.read(source, piece, schema, batch_rows)

    def split(self, source, count):
        """Return ranges of bytes that begin and end between two rows."""
        pieces = []
        total = sum(file.size for file in source.files)
        for file in source.files:
            share = max(round(count * file.size / (total or 1)), 1)
            for start, end in csv_ranges.row_ranges(source, file, share):
                piece = {"path": file.path}
                if (start, end) != (0, None):
                    piece.update({"from": start, "to": end})
                pieces.append((piece, (file.size if end is None else end) - start))
        return spread(pieces, count)

    # --- writing -------------------------------------------------------------------------------

    def check_target(self, source, schema):
        """Raise SchemaError for a name that the header cannot have."""
        declared = self.declared(source.settings)
        for field in schema:
            there = declared.get(field.name)
            if there is not None and there.type != field.type:
                raise SchemaError(
                    f"column {field.name!r} is {text_of(field)} and is declared as "
                    f"{text_of(there)}; declare what is written"
                )
        names = csv_writing.texts_of_names(schema)
        csv_writing.check_texts(source.settings, names, source.stream.path)

    def check_batch(self, settings, batch):
        """Raise DataError for a text that cannot be written in this encoding, or without quotes."""
        csv_writing.check_batch(settings, batch)

    def write(self, source, path, file, schema, batches):
        """Write a file."""
        csv_writing.write(source.settings, path, file, schema, batches)

    def extend(self, source, path, file, schema, batches):
        """Write the old file's bytes, and other rows behind them."""
        filled = (fill_batch(batch, schema) for batch in batches)
        csv_writing.extend(source, path, file, schema, filled)
