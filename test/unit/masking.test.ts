/** Which columns are masked by the rules, and what a table, a record that cannot be read, and a renamed column become. */
import * as fc from 'fast-check';
import { columnRules, type ColumnRule, type RuleEntry } from '../../src/column-rules';
import type { Config } from '../../src/config';
import { planMirror } from '../../src/clickhouse/mirror-plan';
import { mirrorLayout, type MirrorLayout } from '../../src/clickhouse/mirror-layout';
import { changeExpression } from '../../src/clickhouse/change-expression';
import { codecsOf, readDefinition, definitionText } from '../../src/clickhouse/wire-definition';
import { maskedEnvelope } from '../../src/debezium/masked-envelope';
import { createImageReaders } from '../../src/delivery/image-readers';
import { keptChunk } from '../../src/delivery/kept-records';
import { inheritMasks, readPast } from '../../src/delivery/table-past';
import { maskedRows } from '../../src/masked-rows';
import { createMasking, type Masking } from '../../src/masking';
import {
  DEFAULT_PLACEHOLDER,
  OP,
  PROFILE_MODES,
  type Mask,
  type SourceColumn,
  type SourceTable,
} from '../../src/model';
import { createGatherer } from '../../src/pipeline';
import { placeholderOf } from '../../src/placeholder';
import { MirrorRows } from '../../src/plan/mirror-rows';
import type { StringColumn } from '../../src/clickhouse/column-string';
import { checkMasking } from '../../src/wiring/masking';
import { envelope as envelopeOf, type Told } from './delivery/wire';

const rule = (column: string, mask: Mask, table = 'public.users'): RuleEntry => ({ table, column, rule: { mask } });

const maskingOf = (...entries: RuleEntry[]): Masking =>
  createMasking({
    rules: columnRules(entries),
    secret: 'a secret of these tests',
    placeholder: placeholderOf(DEFAULT_PLACEHOLDER),
  });

const NONE = maskingOf();

const column = (name: string, base: string, attnum: number, more: Partial<SourceColumn> = {}): SourceColumn => ({
  ...{ name, type: base, base, kind: 'b', modifier: -1, array: false, notNull: false, generated: false, attnum },
  ...more,
});

const USERS: SourceTable = {
  schema: 'public',
  name: 'users',
  identity: 'full',
  oid: 7,
  key: ['id'],
  columns: [column('id', 'int4', 1, { notNull: true }), column('email', 'text', 2, { missing: '"planted@x"' }), column('pin', 'int4', 3)],
}; // prettier-ignore

const layoutOf = (source: SourceTable, hash?: Masking['hash']): MirrorLayout => {
  const layout = mirrorLayout(source);
  if ('code' in layout) throw new Error(layout.code);
  return { ...layout, ...(hash === undefined ? {} : { hash }) };
};

describe('a table', () => {
  const masking = maskingOf(rule('email', 'hash'), rule('pin', 'drop'));

  it('has hashes as String, and nothing of what is dropped, whatever the types are', () => {
    const layout = layoutOf(masking.source(USERS));
    expect(layout.columns).toMatchObject([{ name: 'id' }, { name: 'email', type: 'Nullable(String)', hashed: true }]);
    expect(layout.omitted).toMatchObject([{ name: 'pin', reason: 'masked' }]);
    expect(layout.fields.map(({ name, column: at }) => [name, at])).toEqual([['id', 0], ['email', 1], ['pin', -1]]); // prettier-ignore
  });

  it('holds no default of a masked column: a hash of it, or nothing, and never the hash of a hash', () => {
    const once = masking.source(USERS);
    const email = once.columns[1]!;
    expect(email.missing).toBe(JSON.stringify(masking.hash(Buffer.from('planted@x'))));
    expect(masking.source(once).columns[1]).toEqual(email);
    expect(NONE.source(once).columns[1]).toEqual(column('email', 'text', 2));
    expect(maskingOf(rule('email', 'drop')).source(USERS).columns[1]).toEqual(column('email', 'text', 2, { mask: 'drop' }));
  }); // prettier-ignore

  it('cannot do without its key, but its key can be hashed', () => {
    expect(mirrorLayout(maskingOf(rule('id', 'drop')).source(USERS))).toEqual({ code: 'TABLE_KEY_MASKED', column: 'id' });
    const skipping = createMasking({
      rules: columnRules([{ table: 'public.users', column: 'id', rule: { skip: true } }]),
      ...{ secret: '', placeholder: placeholderOf(DEFAULT_PLACEHOLDER) },
    });
    expect(mirrorLayout(skipping.source(USERS))).toEqual({ code: 'TABLE_KEY_MASKED', column: 'id' });
    expect(layoutOf(maskingOf(rule('id', 'hash')).source(USERS)).columns[0]).toMatchObject({ type: 'String', hashed: true });
  }); // prettier-ignore

  it('is made anew where a rule comes later: a hash is no value of the column that stands, and what is kept out must go', () => {
    const standing = layoutOf(USERS).columns.map(({ name, type, attnum, sourceType }) => ({ name, type, comment: `7.${attnum} ${sourceType}` }));
    expect(planMirror(layoutOf(USERS), standing, 'id').kind).toBe('in-place');
    const plan = planMirror(layoutOf(masking.source(USERS)), standing, 'id');
    expect(plan).toMatchObject({
      kind: 'rebuild',
      changes: [{ column: 'email', from: 'text', to: 'hash' }, { column: 'pin', from: 'int4', to: '' }],
    });
  }); // prettier-ignore

  it('is masked under the new name of a renamed column, in every version', () => {
    const renamed = { ...USERS, columns: USERS.columns.map((one) => (one.name === 'email' ? { ...one, name: 'mail' } : one)) };
    const versions = inheritMasks([USERS, renamed].map((source) => ({ source: masking.source(source), after: -1, by: -1 })));
    expect(versions.map(({ source }) => source.columns[1])).toEqual([
      expect.objectContaining({ name: 'email', mask: 'hash' }),
      column('mail', 'text', 2, { mask: 'hash' }),
    ]);
    const late = masking.late(versions[1]!.source);
    expect(late?.columns).toEqual(['mail']);
    expect(late?.of(['mail']).of('mail')).toBe('hash');
    expect(masking.late(versions[0]!.source)).toBeNull();
    expect(masking.unmatched(renamed)).toEqual(['email']);
  }); // prettier-ignore

  it('is remembered without values that are masked by now', async () => {
    const kept = new Map([['versions:public.users', JSON.stringify([{ source: USERS, after: -1, by: -1 }])]]);
    const memory = {
      get: (name: string) => Promise.resolve(kept.get(name) ?? null),
      set: (name: string, value: string) => Promise.resolve(void kept.set(name, value)),
    };
    const [past] = await readPast(memory, USERS, masking);
    expect(past?.source.columns[2]).toMatchObject({ name: 'pin', mask: 'drop' });
    expect(kept.get('versions:public.users')).not.toContain('planted');
  });
});

describe('images of before a rule', () => {
  const masking = maskingOf(rule('email', 'hash'), rule('pin', 'drop'));
  const wireOf = (source: SourceTable) => readDefinition(definitionText(source, PROFILE_MODES, null))!;
  const read = (layout: MirrorLayout, wire: SourceTable | null, image: string): (string | null)[] => {
    const rows = new MirrorRows(layout);
    const bytes = Buffer.from(image);
    const readers = createImageReaders(layout, USERS.columns);
    expect(readers.of(wire === null ? null : wireOf(wire)).append(bytes, 0, bytes.length, rows)).toBe(0);
    const at = layout.columns.findIndex(({ name }) => name === 'email');
    const column_ = rows.columns[at] as unknown as { inner?: StringColumn };
    return [(column_.inner ?? (rows.columns[at] as StringColumn)).textAt(0)];
  };
  const email = masking.hash(Buffer.from('a@b'));

  it('are masked when they are read, those of after it are not masked twice', () => {
    const layout = layoutOf(masking.source(USERS), masking.hash);
    expect(read(layout, USERS, '{"id":1,"email":"a@b","pin":5}')).toEqual([email]);
    expect(read(layout, null, '{"id":1,"email":"a@b","pin":5}')).toEqual([email]);
    expect(read(layout, masking.source(USERS), `{"id":1,"email":"${email}"}`)).toEqual([email]);
  });

  it('of a time when the catalogue did not know the table count as not masked', () => {
    const layout = layoutOf(masking.source(USERS), masking.hash);
    expect(read(layout, { ...USERS, columns: [] }, '{"id":1,"email":"a@b","pin":5}')).toEqual([email]);
  });

  it('are no values in views, and neither are hashes of what need no longer be masked', () => {
    const layout = layoutOf(masking.source(USERS), masking.hash);
    const codec = codecsOf(layout, wireOf(USERS)).get('email')!;
    expect(changeExpression(layout.columns[1]!, 'after', codec)).toBe("CAST(NULL, 'Nullable(String)')");
    const plain = layoutOf(USERS);
    const pin = codecsOf(plain, wireOf(maskingOf(rule('pin', 'hash')).source(USERS))).get('pin')!;
    expect(changeExpression(plain.columns[2]!, 'after', pin)).toBe("CAST(NULL, 'Nullable(Int32)')");
    expect(codecsOf(layout, wireOf(masking.source(USERS))).get('email')).toMatchObject({ form: 'text', notation: 'profile' });
  }); // prettier-ignore

  it('are masked where rows of changes are shown', async () => {
    const definitions = new Map([['1', wireOf(USERS)], ['2', wireOf(masking.source(USERS))]]);
    const wires = { read: () => Promise.resolve(definitions) };
    const row = { schema: 'public', table: 'users', key: '{"id":1}', before: '' };
    const rows = await maskedRows(
      [
        { ...row, wire: '1', after: '{"email":"a@b","pin":5}' },
        { ...row, wire: '2', after: `{"email":"${email}"}` },
        { ...row, wire: '0', after: '{"email":"a@b"}' },
        { ...row, table: 'others', wire: '0', after: '{"email":"a@b"}' },
      ],
      masking,
      wires,
    );
    expect(rows.map(({ after }) => after)).toEqual([
      `{"email":"${email}"}`, `{"email":"${email}"}`, `{"email":"${email}"}`, '{"email":"a@b"}',
    ]); // prettier-ignore
  }); // prettier-ignore
});

const envelope = (told: Told): string => JSON.stringify(envelopeOf(told));

describe('records', () => {
  const masking = maskingOf(rule('email', 'hash'), rule('pin', 'drop'));
  const PLANTED = 'planted-secret-7f';

  const gathered = (records: readonly { key: Uint8Array | null; value: Uint8Array | null }[], by = masking) => {
    const gatherer = createGatherer({
      limits: { rows: 1_000, bytes: 1 << 30 },
      filter: { ops: new Set(Object.values(OP)), keeps: () => true, isSignal: () => false, masking: by.records! },
      schemas: { find: () => 'unknown' },
      from: 0,
      redoEnd: null,
    });
    const kept = records.map((record, offset) => ({ ...record, offset, timestampMs: 0, headers: Buffer.from([0]) }));
    expect(gatherer.feed(keptChunk({ topic: 't', partition: 0 }, kept))).toBeNull();
    return gatherer.takeOpen()!;
  };
  const bytesOf = (text: string): Buffer => Buffer.from(text, 'utf8');

  it('that cannot be opened keep sizes and a digest, unless their table is told and has no mask', () => {
    const users = envelope({ after: { id: 1, email: PLANTED }, table: 'users' });
    const others = envelope({ after: { id: 1 }, table: 'others' });
    const avroKey = Buffer.from([0, 0, 0, 0, 9, 1]);
    const block = gathered([
      { key: bytesOf('{"id":1}'), value: bytesOf(users.slice(0, -2)) },
      { key: avroKey, value: bytesOf(users) },
      { key: avroKey, value: bytesOf(others) },
    ]);
    expect(block.bad.map(({ code, key, value }) => [code, key.length, value.length])).toEqual([
      ['ENVELOPE_MALFORMED', 0, 0],
      ['SCHEMA_UNKNOWN', 0, 0],
      ['SCHEMA_UNKNOWN', 6, others.length],
    ]);
    expect(block.bad[0]!.hidden).toMatchObject({ keySize: 8, valueSize: users.length - 2, headersSize: 1 });
    expect(block.bad[0]!.hidden!.digest).toMatch(/^[\da-f]{64}$/);
    expect(block.bad[0]!.hidden!.digest).not.toBe(block.bad[1]!.hidden!.digest);
    expect(block.bad[2]!.hidden).toBeUndefined();
  });

  it('leave no byte of what is masked in a block, damaged or not', () => {
    const damage = fc.record({ at: fc.nat(2_000), byte: fc.nat(255), cut: fc.nat(2_000), how: fc.constantFrom('none', 'none', 'set', 'cut') });
    fc.assert(
      fc.property(fc.constantFrom('c', 'u', 'd'), damage, fc.boolean(), (op, { at, byte, cut, how }, inKey) => {
        const row = { id: 1, email: `${PLANTED}-e`, pin: { deep: [PLANTED] }, n: 5 };
        const value = bytesOf(envelope({ op, before: op === 'c' ? null : row, after: op === 'd' ? null : row, table: 'users' }));
        const key = bytesOf(JSON.stringify(inKey ? { email: `${PLANTED}-e` } : { id: 1 }));
        if (how === 'set') value[at % value.length] = byte;
        const block = gathered([{ key, value: how === 'cut' ? value.subarray(0, cut % value.length) : value }]);
        const held = [block.key, block.before, block.after].map((column_) => Buffer.from(column_.bytes.subarray(0, column_.byteLength)));
        for (const bytes of [...held, ...block.bad.flatMap((bad) => [bad.key, bad.value, bad.headers].map((one) => Buffer.from(one)))])
          expect(bytes.includes(PLANTED) && !isRenamed(how, value)).toBe(false);
      }),
      { numRuns: 400 },
    );
  }); // prettier-ignore

  /** One byte may turn the name of the table or of a column into another, which no rule names. */
  function isRenamed(how: string, value: Buffer): boolean {
    if (how !== 'set') return false;
    const text = value.toString('utf8');
    const isTold =
      text.includes('"table":"users"') && text.includes('"schema":"public"') && text.includes('"source":{');
    const images = [...text.matchAll(/"(before|after)":\{/g)].length;
    return !isTold || (text.match(/"(email|pin)":/g) ?? []).length < images * 2;
  }

  it('as statements may carry them are masked, too', () => {
    const value = bytesOf(envelope({ op: 'u', before: { id: 1, pin: 5 }, after: { id: 1, email: PLANTED }, table: 'users' }));
    const text = maskedEnvelope(value, (schema, table) => masking.records!.of(schema, table));
    expect(JSON.parse(text!)).toEqual({
      op: 'u', source: { schema: 'public', table: 'users' }, before: { id: 1 }, after: { id: 1, email: masking.hash(bytesOf(PLANTED)) },
    });
    expect(maskedEnvelope(bytesOf('{"x":1}'), () => null)).toBeNull();
    expect(maskedEnvelope(value, () => null)).toBe(value.toString('utf8'));
  }); // prettier-ignore

  it('of tables without a rule are not looked at, and nothing is asked where nothing is masked', () => {
    expect(NONE.records).toBeUndefined();
    expect(masking.records!.of('public', 'others')).toBeNull();
    expect(
      maskingOf(rule('*mail*', 'hash', '*.*'))
        .records!.of('public', 'others')
        ?.of('e-mail'),
    ).toBe('hash');
    expect(masking.secretMark).not.toBe(
      createMasking({ rules: columnRules([]), secret: 'another', placeholder: placeholderOf('') }).secretMark,
    );
  });
});

describe('a primary key that a rule keeps out', () => {
  const start = async (exclude: readonly string[], more: ColumnRule = { skip: true }): Promise<unknown> => {
    const rules = columnRules([{ table: '*.*', column: 'id', rule: more }]);
    const config = { columns: rules, tables: { include: ['*.*'], exclude }, maskSecret: '', unavailableValue: DEFAULT_PLACEHOLDER };
    const control = { get: () => Promise.resolve(null), set: () => Promise.resolve() };
    const postgres = { query: () => Promise.resolve([{ schema: 'public', name: 'users', column: 'id' }]) };
    return checkMasking(config as unknown as Config, control, postgres as never).catch((error: unknown) => error);
  }; // prettier-ignore

  test('keeps the service from starting, unless its table is left out', async () => {
    expect(await start([])).toMatchObject({ code: 'CONFIG_INVALID', message: expect.stringContaining('public.users.id') as string });
    expect(await start(['public.users'])).toBeUndefined();
    expect(await start([], { mask: 'hash' })).toBeUndefined();
  }); // prettier-ignore
});
