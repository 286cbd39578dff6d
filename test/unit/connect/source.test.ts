/** What is asked of PostgreSQL for the connector, and which tables a capture means. */
import fc from 'fast-check';
import { describeCapture, prepareSource, removeFromSource, tableIncludeList } from '../../../src/connect/source';
import type { Capture, SourceSql } from '../../../src/connect/source';

/** A source that answers by the first pattern that matches, and keeps what it was asked. */
function source(answers: readonly (readonly [RegExp, readonly object[]])[]): SourceSql & { readonly asked: string[] } {
  const asked: string[] = [];
  return {
    asked,
    query<T>(sql: string): Promise<T[]> {
      asked.push(sql.replace(/\s+/g, ' '));
      const found = answers.find(([pattern]) => pattern.test(sql));
      return Promise.resolve([...(found?.[1] ?? [])] as T[]);
    },
  };
}

const NAMES = { signalTable: 'public.debezium_signal', publication: 'debezium_clickhouse' };
const SCHEMA: Capture = { kind: 'whole-schema', schema: 'public' };
const TABLES: Capture = { kind: 'tables', include: ['public.*', 'sales.o_*'], exclude: ['*.secret'] };
const changes = (asked: readonly string[]): string[] => asked.filter((sql) => /^(CREATE|ALTER|DROP)/.test(sql));

async function prepare(postgres: SourceSql, capture: Capture): Promise<string[]> {
  const lines: string[] = [];
  await prepareSource({ postgres, capture, ...NAMES, log: (line) => lines.push(line) });
  return lines;
}

describe('the tables of a capture', () => {
  const matches = (capture: Capture, name: string): boolean =>
    tableIncludeList(capture)
      .split(',')
      .some((pattern) => new RegExp(`^(?:${pattern})$`).test(name));

  test.each([
    ['public.users', true],
    ['sales.o_1', true],
    ['sales.orders', false],
    ['public.secret', false],
    ['public.secrets', true],
    ['publicXusers', false],
  ])('of include and exclude patterns: %s is %s', (name, wanted) => {
    expect(matches(TABLES, name)).toBe(wanted);
    expect(matches({ ...TABLES, exclude: [] }, 'public.secret')).toBe(true);
  });

  test('a pattern without a star means that very name, whatever characters it has', () => {
    fc.assert(
      fc.property(fc.string({ minLength: 1 }), fc.string({ minLength: 1 }), (name, other) => {
        fc.pre(!name.includes('*'));
        const capture: Capture = { kind: 'tables', include: [`s.${name}`], exclude: [] };
        expect(matches(capture, `s.${name}`)).toBe(true);
        expect(matches(capture, `s.${other}`)).toBe(other === name);
      }),
    );
  });

  test('are described in words', () => {
    expect(describeCapture(SCHEMA)).toBe('all tables of schema public');
    expect(describeCapture(TABLES)).toBe('tables public.*, sales.o_* except *.secret');
  });
});

describe('preparing the source', () => {
  const canSchema = [/rolsuper/, [{ can: true }]] as const;
  const tables = [
    /FROM pg_class/,
    [
      { schema: 'public', name: 'a"b' },
      { schema: 'public', name: 'secret' },
      { schema: 'sales', name: 'o_1' },
    ],
  ] as const;

  test('as a superuser in the demo makes one publication for the schema', async () => {
    const postgres = source([canSchema]);
    await prepare(postgres, SCHEMA);
    expect(changes(postgres.asked)).toEqual([
      expect.stringMatching(/^CREATE TABLE IF NOT EXISTS "public"."debezium_signal"/),
      'CREATE PUBLICATION "debezium_clickhouse" FOR TABLES IN SCHEMA "public"',
    ]);
  });

  test('publishes generated columns where the server can', async () => {
    const postgres = source([canSchema, [/server_version_num.*180000/, [{ can: true }]]]);
    await prepare(postgres, SCHEMA);
    expect(changes(postgres.asked)[1]).toBe(
      'CREATE PUBLICATION "debezium_clickhouse" FOR TABLES IN SCHEMA "public" WITH (publish_generated_columns = stored)',
    );
  });

  test('without that right publishes the tables there are, and says that new ones need another run', async () => {
    const postgres = source([tables]);
    const lines = await prepare(postgres, SCHEMA);
    expect(changes(postgres.asked)[1]).toBe(
      'CREATE PUBLICATION "debezium_clickhouse" FOR TABLE "public"."a""b", "public"."secret", "public"."debezium_signal"',
    );
    expect(lines.join('\n')).toContain('run this again after each CREATE TABLE');
  });

  test('elsewhere publishes only the tables that were named', async () => {
    const postgres = source([canSchema, tables]);
    await prepare(postgres, TABLES);
    expect(changes(postgres.asked)[1]).toBe(
      'CREATE PUBLICATION "debezium_clickhouse" FOR TABLE "public"."a""b", "sales"."o_1", "public"."debezium_signal"',
    );
  });

  test('adds a new table and tells how to send the rows it has already', async () => {
    const postgres = source([
      [/FROM pg_tables/, [{ exists: 1 }]],
      [/puballtables/, [{ alltables: false }]],
      [
        /pg_publication_tables/,
        [
          { schema: 'public', name: 'a"b' },
          { schema: 'public', name: 'debezium_signal' },
        ],
      ],
      tables,
    ]);
    const lines = await prepare(postgres, TABLES);
    expect(changes(postgres.asked)).toEqual(['ALTER PUBLICATION "debezium_clickhouse" ADD TABLE "sales"."o_1"']);
    expect(lines.join('\n')).toContain("connectors snapshot --tables 'sales.o_1'");
  });

  test('leaves a publication for all tables as it is', async () => {
    const postgres = source([[/FROM pg_tables/, [{ exists: 1 }]], [/puballtables/, [{ alltables: true }]], tables]);
    expect(await prepare(postgres, TABLES)).toEqual([]);
    expect(changes(postgres.asked)).toEqual([]);
  });

  test('refuses a signal table without a schema', async () => {
    const options = { postgres: source([]), capture: SCHEMA, publication: 'p', log: () => undefined };
    await expect(prepareSource({ ...options, signalTable: 'signals' })).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
    });
  });
});

describe('removing what was made in the source', () => {
  const remove = async (postgres: SourceSql, deadlineMs = 0): Promise<string[]> => {
    const lines: string[] = [];
    await removeFromSource({ postgres, slot: 's', ...NAMES, deadlineMs, log: (line) => lines.push(line) });
    return lines;
  };

  test('drops the slot, and of publication and signal table those with our comment', async () => {
    const postgres = source([
      [/SELECT active/, [{ active: false, pid: null }]],
      [/obj_description/, [{ ours: true }]],
    ]);
    await remove(postgres);
    expect(postgres.asked).toContain('SELECT pg_drop_replication_slot($1)');
    expect(changes(postgres.asked)).toEqual([
      'DROP PUBLICATION IF EXISTS "debezium_clickhouse"',
      'DROP TABLE IF EXISTS "public"."debezium_signal"',
    ]);
  });

  test('keeps what others made, and says so', async () => {
    const postgres = source([[/obj_description/, [{ ours: false }]]]);
    const lines = await remove(postgres);
    expect(changes(postgres.asked)).toEqual([]);
    expect(lines).toEqual([
      'slot s: there was none',
      'publication debezium_clickhouse: kept, it was not made by connectors apply',
    ]);
  });

  test('says who still reads a slot that cannot be dropped', async () => {
    const postgres = source([[/SELECT active/, [{ active: true, pid: 4711 }]]]);
    await expect(remove(postgres, -1)).rejects.toMatchObject({
      code: 'CONNECTOR_FAILED',
      hint: expect.stringContaining('pg_terminate_backend(4711)') as string,
    });
  });
});
