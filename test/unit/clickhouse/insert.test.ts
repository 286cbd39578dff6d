/** The text of a guarded insert: what it writes, and what must be true when the server starts on it. */
import type { ClickHouse } from '../../../src/clickhouse/client';
import { FixedColumn } from '../../../src/clickhouse/column-fixed';
import { NullableColumn } from '../../../src/clickhouse/column-nested';
import { StringColumn } from '../../../src/clickhouse/column-string';
import { guardedInsert, guardedSql, type Guard, type GuardedInsert } from '../../../src/clickhouse/insert';
import { quoteName, quoteText } from '../../../src/clickhouse/quote';

const CHANGES = { database: 'cdc_cdc', name: 'changes', uuid: 'a0000000-0000-0000-0000-000000000001' };
const MIRROR = { database: 'cdc_cdc', name: 'orders__mirror', uuid: 'b0000000-0000-0000-0000-000000000002' };
const GUARD: Guard = { deadlineMs: 1_795_223_719_374, changes: CHANGES };

function insertInto(table: typeof MIRROR, more: Partial<GuardedInsert> = {}): GuardedInsert {
  const id = new FixedColumn('Int64', 8);
  const note = new NullableColumn(new StringColumn());
  id.appendNumber(7);
  note.appendDefault();
  const columns = [
    { name: 'id', column: id },
    { name: 'note', column: note },
  ];
  return {
    table,
    columns,
    rowCount: 1,
    constants: [],
    token: 'orders__mirror:t:0:5:9',
    keepOrderWithin: null,
    ...more,
  };
}

const DEADLINE = "WHERE throwIf(now64(3) > fromUnixTimestamp64Milli(1795223719374, 'UTC')) = 0 ";

describe('a guarded insert', () => {
  it('into a mirror starts only in time, while both tables have the UUIDs it was prepared for', () => {
    expect(guardedSql(insertInto(MIRROR), GUARD)).toBe(
      'INSERT INTO `cdc_cdc`.`orders__mirror` (`id`, `note`) ' +
        "SELECT `id`, `note` FROM input('`id` Int64, `note` Nullable(String)') " +
        DEADLINE +
        "AND throwIf((SELECT count() FROM system.tables WHERE (database = 'cdc_cdc' AND name = 'changes' AND uuid = 'a0000000-0000-0000-0000-000000000001') " +
        "OR (database = 'cdc_cdc' AND name = 'orders__mirror' AND uuid = 'b0000000-0000-0000-0000-000000000002')) != 2) = 0 FORMAT Native",
    );
  });

  it('into a mirror lets the server sort by the key and the row number, which is not stored', () => {
    const sql = guardedSql(insertInto(MIRROR, { keepOrderWithin: ['id', 'odd`name'] }), GUARD);
    expect(sql).toContain('(`id`, `note`) SELECT `id`, `note` FROM');
    expect(sql).toContain("input('`id` Int64, `note` Nullable(String), _row UInt32')");
    expect(sql).toContain(` ORDER BY \`id\`, ${quoteName('odd`name')}, _row FORMAT Native`);
  });

  it('into changes asks for that table once', () => {
    const sql = guardedSql(insertInto(CHANGES), GUARD);
    expect(sql).toContain(
      "system.tables WHERE (database = 'cdc_cdc' AND name = 'changes' AND uuid = 'a0000000-0000-0000-0000-000000000001')) != 1) = 0",
    );
    expect(sql).toContain(DEADLINE);
  });

  it('that was prepared for another table of the same name asks for both, and so is refused', () => {
    const stale = { ...CHANGES, uuid: MIRROR.uuid };
    expect(guardedSql(insertInto(stale), GUARD)).toContain(') != 2) = 0');
  });

  it('writes constants as they are, behind the columns of the block, each by its name: a column may be called 3', () => {
    const constants = [
      ['topic', quoteText("it's")],
      ['partition', '3'],
    ] as const;
    const sql = guardedSql(insertInto(MIRROR, { constants }), GUARD);
    expect(sql).toContain('(`id`, `note`, `topic`, `partition`) ');
    expect(sql).toContain(`SELECT \`id\`, \`note\`, ${quoteText("it's")} AS \`topic\`, 3 AS \`partition\` FROM input('\`id\` Int64, \`note\` Nullable(String)')`); // prettier-ignore
  });

  it('quotes names, in the statement and in the structure alike', () => {
    const name = 'a`b\\c\'d") = 0';
    const column = new FixedColumn("DateTime64(6, 'UTC')", 8);
    column.appendNumber(1);
    const odd = { database: "d'b`", name: "t'`", uuid: "u'" };
    const sql = guardedSql({ ...insertInto(odd), columns: [{ name, column }] }, GUARD);
    expect(sql).toContain(`INSERT INTO ${quoteName(odd.database)}.${quoteName(odd.name)} (${quoteName(name)})`);
    expect(sql).toContain(`FROM input(${quoteText(`${quoteName(name)} DateTime64(6, 'UTC')`)})`);
    expect(sql).toContain(`database = ${quoteText(odd.database)} AND name = ${quoteText(odd.name)} AND uuid = ${quoteText(odd.uuid)}`); // prettier-ignore
    expect(quoteText("it's \\ 'x'")).not.toBe("'it's \\ 'x''");
  });

  it('is sent as one block and one part, under its token and within its time', async () => {
    const sent: { sql: string; bytes: number; settings: Record<string, unknown> }[] = [];
    const clickhouse: Pick<ClickHouse, 'insert'> = {
      insert: async (sql, body, settings) => {
        sent.push({ sql, bytes: body.reduce((sum, { length }) => sum + length, 0), settings: { ...settings } });
      },
    };
    await guardedInsert(clickhouse, insertInto(MIRROR), GUARD, 30);
    expect(sent).toHaveLength(1);
    expect(sent[0]?.sql).toBe(guardedSql(insertInto(MIRROR), GUARD));
    expect(sent[0]?.bytes).toBeGreaterThan(8);
    expect(sent[0]?.settings).toMatchObject({
      insert_deduplicate: 1,
      optimize_on_insert: 1,
      insert_deduplication_token: 'orders__mirror:t:0:5:9',
      async_insert: 0,
      max_execution_time: 30,
    });
    for (const setting of ['max_insert_block_size', 'min_insert_block_size_rows'])
      expect(Number(sent[0]?.settings[setting])).toBeGreaterThan(131_072 * 2);
    expect(Number(sent[0]?.settings['min_insert_block_size_bytes'])).toBeGreaterThan(2 * (64 << 20));
  });
});
