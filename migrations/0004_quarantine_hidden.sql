-- Of a record that may hold masked columns only what it is known again by is kept.
ALTER TABLE {{machinery}}.quarantine ADD COLUMN IF NOT EXISTS digest String COMMENT 'keyed hash of a record whose bytes are not kept; else empty';

ALTER TABLE {{machinery}}.quarantine ADD COLUMN IF NOT EXISTS key_size UInt64 COMMENT 'bytes of the key of such a record';

ALTER TABLE {{machinery}}.quarantine ADD COLUMN IF NOT EXISTS value_size UInt64 COMMENT 'bytes of the value of such a record';

ALTER TABLE {{machinery}}.quarantine ADD COLUMN IF NOT EXISTS headers_size UInt64 COMMENT 'bytes of the headers of such a record';
