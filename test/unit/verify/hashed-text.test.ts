import { createHash, createHmac } from 'node:crypto';
import type { SourceColumn } from '../../../src/model';
import { hashedText, hashKeys } from '../../../src/verify/hashed-text';

const sha256 = (...parts: readonly Buffer[]): Buffer => createHash('sha256').update(Buffer.concat(parts)).digest();

it.each(['', 'a secret', 'ü'.repeat(32), 'x'.repeat(64), 'x'.repeat(65), 'long '.repeat(50)])(
  'the keys of %j make the hashes of the service with two plain SHA-256',
  (secret) => {
    const { inner, outer } = hashKeys(secret);
    const text = Buffer.from('somebody@example.org', 'utf8');
    const made = sha256(Buffer.from(outer, 'hex'), sha256(Buffer.from(inner, 'hex'), text));
    expect(made.toString('hex')).toBe(createHmac('sha256', secret).update(text).digest('hex'));
  },
);

it('only types are hashed whose text is the same in every wire and mode', () => {
  const of = (base: string, more: Partial<SourceColumn> = {}): string | null =>
    hashedText({ base, kind: 'b', array: false, ...more } as SourceColumn, 'x');
  for (const base of ['text', 'bpchar', 'int8', 'bool', 'uuid', 'jsonb']) expect(of(base)).toContain('sha256(');
  expect(of('mood', { kind: 'e' })).toContain('sha256(');
  for (const base of ['date', 'timestamptz', 'numeric', 'float8', 'bytea', 'interval', 'hstore', 'xml'])
    expect(of(base)).toBeNull();
  expect(of('text', { array: true })).toBeNull();
  expect(of('int4', { kind: 'c' })).toBeNull();
});
