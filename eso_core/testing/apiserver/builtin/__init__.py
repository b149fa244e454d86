"""The kinds the server knows from the start: their types, schemas, encodings, validation and write strategies."""
