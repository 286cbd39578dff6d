/** The history of each mirror's columns, in the table `schema_changes`. */
import { createHash } from 'node:crypto';
import type { ClickHouse } from './client';
import type { MirrorLayout } from './mirror-layout';
import type { MirrorChange } from './mirror-plan';
import { quoteName, quoteText } from './quote';

/** The first record that was read by the new columns. */
export interface ShownBy {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
}

export interface SchemaChanges {
  readonly layout: MirrorLayout;
  readonly shownBy: ShownBy | null;
  /** What was run in ClickHouse. */
  readonly statement: string;
  readonly changes: readonly MirrorChange[];
}

/**
 * Writes changes down. Processes that find the same one write it once: the token is made of the change, and of the columns
 * as they are after it, so that going there and back and there again is three changes.
 */
export async function recordSchemaChanges(
  clickhouse: Pick<ClickHouse, 'command'>,
  machinery: string,
  { layout, shownBy, statement, changes }: SchemaChanges,
): Promise<void> {
  if (changes.length === 0) return;
  const { topic, partition, offset } = shownBy ?? { topic: '', partition: 0, offset: 0 };
  const rows = changes.map(({ column, from, to }) => {
    const texts = [layout.schema, layout.table, column, from, to, topic].map(quoteText);
    return `(${texts.join(', ')}, ${partition}, ${offset}, ${quoteText(statement)})`;
  });
  const seen = JSON.stringify([layout.schema, layout.table, layout.oid, layout.alteredBy, layout.fingerprint, changes]);
  await clickhouse.command(
    `INSERT INTO ${quoteName(machinery)}.schema_changes (schema, table, column, from_type, to_type, topic, partition, first_offset, statement) VALUES ${rows.join(', ')}`,
    { insert_deduplication_token: createHash('sha256').update(seen).digest('hex') },
  );
}
