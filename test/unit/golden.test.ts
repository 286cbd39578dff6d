/** Records that the real Debezium wrote, in each wire: they decode the same without a stack, and alike in all three. */
import { PROFILES, type Profile } from '../../src/connect/profile';
import { parseJson, type JsonValue } from '../../src/debezium/json-value';
import { columnRules } from '../../src/column-rules';
import { createMasking } from '../../src/masking';
import { DEFAULT_PLACEHOLDER, type WireField } from '../../src/model';
import type { RecordMasking } from '../../src/pipeline';
import { placeholderOf } from '../../src/placeholder';
import type { ChangeBlock } from '../../src/plan/change-block';
import { gathered } from '../golden/golden';
import { CHANGES } from '../golden/tables';

interface Change {
  readonly table: string;
  readonly op: string;
  readonly snapshot: string;
  readonly key: JsonValue | undefined;
  readonly before: JsonValue | undefined;
  readonly after: JsonValue | undefined;
  readonly fields: readonly WireField[] | null;
}

function decoded(
  profile: Profile,
  masking: RecordMasking | null = null,
): { changes: Change[]; skipped: Record<string, number>; bad: readonly unknown[] } {
  const { blocks, skipped } = gathered(profile, masking);
  return {
    changes: blocks.flatMap((block) => Array.from({ length: block.rowCount }, (_, row) => changeAt(block, row))),
    skipped,
    bad: blocks.flatMap((block) => block.bad.map(({ code, offset }) => ({ code, offset }))),
  };
}

function changeAt(block: ChangeBlock, row: number): Change {
  const json = (images: ChangeBlock['key']): JsonValue | undefined =>
    block.has(images, row) ? parseJson(images.bytes, images.start(row), images.end(row)) : undefined;
  return {
    table: block.tables[block.tableOf[row]!]!.name,
    op: String.fromCharCode(block.ops[row]!),
    snapshot: block.snapshotAt(row),
    key: json(block.key),
    before: json(block.before),
    after: json(block.after),
    fields: block.wireSchemaAt(row)?.fields ?? null,
  };
}

/** Without what the wires say differently: the field names of types, which the Avro profile adds to each column. */
const described = ({ name, type, semantic, optional }: WireField): string =>
  `${name} ${type} ${semantic ?? ''} ${optional ? 'optional' : ''}`;

/** Apicurio's converter writes the DEFAULT of a column in the place of a NULL; nothing in the record tells (docs/wires.md). */
const asApicurioHasIt = (image: JsonValue | undefined): JsonValue | undefined =>
  image instanceof Map && image.get('note') === null ? new Map([...image, ['note', 'none']]) : image;

describe('records that the connector wrote', () => {
  const plain = decoded('json');

  it('in plain JSON are every change of the tables, with an op of every kind', () => {
    const count = (table: string): number => plain.changes.filter((change) => change.table === table).length;
    expect(Object.fromEntries(Object.keys(CHANGES).map((table) => [table, count(table)]))).toEqual(CHANGES);
    expect(new Set(plain.changes.map(({ op }) => op))).toEqual(new Set(['r', 'c', 'u', 'd', 't']));
    expect(plain.bad).toEqual([]);
    expect(Object.keys(plain.skipped).sort()).toEqual(['heartbeat', 'message', 'tombstone', 'transaction']);
  });

  it('in plain JSON hold what was written in PostgreSQL', () => {
    const second = plain.changes.filter(({ table }) => table === 'many')[1]?.after as ReadonlyMap<string, JsonValue>;
    expect([second.get('f4'), second.get('i8'), second.get('t')]).toEqual([
      'NaN',
      { text: '-9223372036854775808' },
      '',
    ]);
    const odd = plain.changes.find(({ table, op }) => table === 'Ta-ble.x' && op === 'c');
    expect(odd?.after).toEqual(
      new Map<string, JsonValue>([['bad-name', { text: '1' }], ['co l', 'a'], ['Ünï', 'ü'], ['имя', 'и'], ['select', { text: '7' }]]),
    ); // prettier-ignore
  });

  it.each(PROFILES)('in the wire %s are the same changes, value for value', (profile) => {
    const { changes, bad, skipped } = decoded(profile);
    expect(bad).toEqual([]);
    expect(Object.keys(skipped).sort()).toEqual(Object.keys(plain.skipped).sort());
    expect(skipped['tombstone']).toBe(plain.skipped['tombstone']);
    const image = profile === 'avro' ? asApicurioHasIt : (value: JsonValue | undefined) => value;
    expect(changes.map(({ fields: _, ...change }) => change)).toEqual(
      plain.changes.map(({ fields: _, before, after, ...change }) => ({
        ...change,
        before: image(before),
        after: image(after),
      })),
    );
  });

  it('are masked alike in every wire: each value but NULL is a hash of the same text, and keys agree with their rows', () => {
    const masking = createMasking({
      rules: columnRules([{ table: '*.*', column: '*', rule: { mask: 'hash' } }]),
      ...{ secret: 'a secret of these tests', placeholder: placeholderOf(DEFAULT_PLACEHOLDER) },
    });
    const hidden = masking.records!;
    const hashed = decoded('json', hidden).changes;
    expect(hashed.map(({ op, table }) => [op, table])).toEqual(plain.changes.map(({ op, table }) => [op, table]));
    for (const [index, { key, after }] of hashed.entries()) {
      const row = plain.changes[index]?.after;
      if (!(row instanceof Map) || !(after instanceof Map)) continue;
      for (const [name, value] of row)
        if (value === null) expect(after.get(name)).toBeNull();
        else expect(after.get(name)).toMatch(/^[0-9a-f]{64}$/);
      if (key instanceof Map) for (const [name, value] of key) expect(value).toEqual(after.get(name));
    }
    for (const profile of PROFILES) {
      const { changes } = decoded(profile, hidden);
      const note = masking.hash(Buffer.from('none', 'utf8'));
      const image = (value: JsonValue | undefined): JsonValue | undefined =>
        profile === 'avro' && value instanceof Map && value.get('note') === null ? new Map([...value, ['note', note]]) : value;
      expect(changes.map(({ key, before, after }) => ({ key, before, after }))).toEqual(
        hashed.map(({ key, before, after }) => ({ key, before: image(before), after: image(after) })),
      );
      for (const { fields } of changes) for (const field of fields ?? []) expect(field).toMatchObject({ type: 'string', semantic: null, parameters: {} });
    }
  }); // prettier-ignore

  it('have the same schema of their rows in both wires that have one', () => {
    const fieldsOf = (profile: Profile) => decoded(profile).changes.map(({ fields }) => fields?.map(described));
    const withSchema = fieldsOf('json-schema');
    expect(withSchema.every((fields) => fields !== undefined && fields.length > 0)).toBe(true);
    expect(fieldsOf('avro')).toEqual(withSchema);
  });
});
