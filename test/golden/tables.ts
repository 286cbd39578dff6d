/** The tables and changes that every wire carries alike: many types, names that Avro cannot write, every op. */

const TYPES = `
  i2 int2, i4 int4, i8 int8, o oid, b bool, f4 float4, f8 float8,
  n numeric(12,2), wide numeric(60,20), any_n numeric, m money,
  t text, vc varchar(40), ch char(5), nm name, u uuid, j json, jb jsonb, x xml,
  ba bytea, bit1 bit(1), bit12 bit(12), vb varbit(20),
  d date, tm time, tm3 time(3), ttz timetz, ts timestamp, ts3 timestamp(3), tz timestamptz, iv interval,
  en mood, ine inet, cid cidr, mac macaddr, r4 int4range, pt point, tsv tsvector,
  ta text[], ia int4[], la int8[], fa float8[], na numeric(10,2)[], ua uuid[], da date[]`;

const VALUES = [
  `32767, 2147483647, 9223372036854775807, 4294967295, true, 3.33, 6.66,
   1.50, 12345678901234567890.12345678901234567890, 123456789012345678901234567890.123456789, '-1234.56',
   E'tx"\\\\\\né😀\\u0001', 'vc', 'ab', 'nm', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11',
   '{"b": 1,  "a":2, "a":3}', '{"n":1.10,"big":12345678901234567890.123}', '<foo a="1">bar</foo>',
   '\\x000102caff', B'1', B'100000000001', B'00011',
   '2016-11-04', '13:51:02.123456', '13:51:02.123', '13:51:02.123456+02', '2016-11-04 13:51:30.123456',
   '2016-11-04 13:51:30.123', '2016-11-04 13:51:30.123456+02', '1 year 2 mons 3 days 04:05:06.5',
   'ok', '192.168.1.5/24', '192.168.1.0/24', '08:00:2b:01:02:03', '[1,10)', '(1,2.5)', 'a fat cat',
   ARRAY['a,b', 'c"d', NULL, 'NULL', '', E'\\\\'], ARRAY[1, NULL, -3], ARRAY[9007199254740993, -1],
   ARRAY['NaN', '-0', 5e-324, 1e21]::float8[], ARRAY[1.50, NULL], ARRAY['a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'::uuid],
   ARRAY['1969-12-31'::date]`,
  `-32768, -2147483648, -9223372036854775808, 0, false, 'NaN', '-Infinity',
   'NaN', 0, 'NaN', '0', '', '', '', '', '00000000-0000-0000-0000-000000000000', 'null', '[]', '<a/>',
   '', B'0', B'000000000000', B'',
   '1969-12-31', '00:00:00', '24:00:00', '00:00:00+00', '1969-12-31 23:59:59.999999', '1900-01-01 00:00:00',
   'infinity', '-1 mons +3 days -04:05:06.5', 'sad', '::1', '::/0', '00:00:00:00:00:00', 'empty', '(0,-0)', '',
   '{}', '{}', '{}', '{}', '{}', '{}', '{}'`,
] as const;

/** `many` columns, all nullable but the key. */
const NULLS = Array.from({ length: TYPES.split(/,(?![^(]*\))/).length }, () => 'NULL').join(', ');

/** Done before the connector is there: its snapshot brings the rows. */
export const BEFORE: readonly string[] = [
  `CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy')`,
  `CREATE TABLE many (id int PRIMARY KEY, ${TYPES})`,
  `ALTER TABLE many REPLICA IDENTITY FULL`,
  `CREATE TABLE orders (order_id bigint, line_no int, note text DEFAULT 'none', PRIMARY KEY (order_id, line_no))`,
  `CREATE TABLE "Ta-ble.x" ("bad-name" int PRIMARY KEY, "co l" text, "Ünï" text, "имя" text, "select" int NOT NULL DEFAULT 7)`,
  `ALTER TABLE "Ta-ble.x" REPLICA IDENTITY FULL`,
  `INSERT INTO many VALUES (1, ${VALUES[0]})`,
  `INSERT INTO orders VALUES (1, 1, 'x'), (1, 2, NULL)`,
];

/** Done while the connector streams; each is a transaction. */
export const AFTER: readonly string[] = [
  `INSERT INTO many VALUES (2, ${VALUES[1]}), (3, ${NULLS})`,
  `UPDATE many SET t = 'other', i8 = 9007199254740993 WHERE id = 1`,
  `UPDATE orders SET note = 'y' WHERE line_no = 1`,
  `UPDATE orders SET order_id = 9007199254740993 WHERE line_no = 2`,
  `DELETE FROM orders WHERE line_no = 1`,
  `INSERT INTO "Ta-ble.x" VALUES (1, 'a', 'ü', 'и'), (2, NULL, NULL, NULL)`,
  `DELETE FROM "Ta-ble.x" WHERE "bad-name" = 1`,
  `SELECT pg_logical_emit_message(true, 'note', 'text')`,
  `TRUNCATE orders`,
  `ALTER TABLE orders ADD COLUMN added_at timestamptz; INSERT INTO orders VALUES (5, 1, 'z', '2026-01-02 03:04:05.123456Z')`,
];

export const TABLES = ['many', 'orders', 'Ta-ble.x'] as const;
/** Rows that `AFTER` leaves, and changes of each table that the connector sends. */
export const CHANGES = { many: 4, orders: 8, 'Ta-ble.x': 3 } as const;
