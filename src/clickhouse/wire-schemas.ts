/** The table `wire_schemas`: kept before the first row that refers to it, and read again for rows of any age. */
import { createHash } from 'node:crypto';
import type { WideId } from '../plan/audit-rows';
import type { ClickHouse } from './client';
import { quoteName, quoteText } from './quote';
import { readDefinition, type WireDefinition } from './wire-definition';

/** An entry of the table. */
export interface WireId {
  readonly wide: WideId;
  /** As `changes.wire_schema` reads, in decimal digits. */
  readonly text: string;
}

export interface WireSchemas {
  /** Keeps a definition and gives the id that is made of it; the same one again changes nothing. */
  record(of: { readonly schema: string; readonly table: string }, definition: string): Promise<WireId>;
  /** Those of the ids that are known; an id of 0 is none. */
  read(ids: Iterable<string>): Promise<ReadonlyMap<string, WireDefinition>>;
  /** All of a table. */
  ofTable(schema: string, table: string): Promise<ReadonlyMap<string, WireDefinition>>;
  /** Whether `changes` has rows of the table that refer to no entry. */
  hasRowsWithout(schema: string, table: string): Promise<boolean>;
  /** Whether `changes` has rows of the table, not forgotten, that refer to one of these entries; '0' for none. */
  hasRowsOf(schema: string, table: string, ids: readonly string[]): Promise<boolean>;
  /** The table was made anew: everything has to be kept again. */
  forget(): void;
}

interface Row {
  readonly id: string;
  readonly definition: string;
}

export function openWireSchemas(clickhouse: ClickHouse, machinery: string): WireSchemas {
  const table = `${quoteName(machinery)}.wire_schemas`;
  const recorded = new Set<string>();
  const known = new Map<string, WireDefinition>();

  const select = async (where: string): Promise<Map<string, WireDefinition>> => {
    const rows = await clickhouse.query<Row>(`SELECT toString(id) AS id, definition FROM ${table} WHERE ${where}`);
    const found = new Map<string, WireDefinition>();
    for (const { id, definition } of rows) {
      const read = readDefinition(definition);
      if (read !== null) found.set(id, read);
    }
    for (const [id, definition] of found) known.set(id, definition);
    return found;
  };

  return {
    async record({ schema, table: name }, definition) {
      const hash = createHash('sha256').update(definition).digest();
      const wide = { low: hash.readInt32LE(0), high: hash.readInt32LE(4) };
      const text = hash.readBigUInt64LE(0).toString();
      if (!recorded.has(text)) {
        const values = [text, quoteText('json'), quoteText(schema), quoteText(name), quoteText(definition)].join(', ');
        await clickhouse.command(`INSERT INTO ${table} (id, kind, schema, table, definition) VALUES (${values})`);
        recorded.add(text);
        const read = readDefinition(definition);
        if (read !== null) known.set(text, read);
      }
      return { wide, text };
    },
    async read(ids) {
      const wanted = new Set(ids);
      const missing = [...wanted].filter((id) => id !== '0' && !known.has(id));
      if (missing.length > 0) await select(`id IN (${missing.join(', ')})`);
      return new Map([...wanted].flatMap((id) => (known.has(id) ? [[id, known.get(id) as WireDefinition]] : [])));
    },
    ofTable: (schema, name) => select(`schema = ${quoteText(schema)} AND table = ${quoteText(name)}`),
    async hasRowsWithout(schema, name) {
      const rows = await clickhouse.query(
        `SELECT 1 AS found FROM ${quoteName(machinery)}.changes ` +
          `WHERE schema = ${quoteText(schema)} AND table = ${quoteText(name)} AND wire_schema = 0 LIMIT 1`,
      );
      return rows.length > 0;
    },
    async hasRowsOf(schema, name, ids) {
      if (ids.length === 0) return false;
      const rows = await clickhouse.query(
        `SELECT 1 AS found FROM ${quoteName(machinery)}.changes WHERE schema = ${quoteText(schema)} ` +
          `AND table = ${quoteText(name)} AND redelivered != 2 AND wire_schema IN (${ids.join(', ')}) LIMIT 1`,
      );
      return rows.length > 0;
    },
    forget: () => recorded.clear(),
  };
}
