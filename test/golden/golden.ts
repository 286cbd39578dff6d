/** The golden records of one wire as they stand in their file, and back as bytes. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Profile } from '../../src/connect/profile';

/** Bytes as text: UTF-8; `base64:` and base64; `prefix:`, the index of a text in `prefixes`, and the rest. */
export interface GoldenFile {
  /** Avro's writer schemas by their number in the registry. */
  readonly schemas: Readonly<Record<string, unknown>>;
  readonly prefixes: readonly string[];
  readonly records: readonly { readonly topic: string; readonly key: string | null; readonly value: string | null }[];
}

export interface GoldenRecord {
  readonly topic: string;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
}

export function goldenRecords(profile: Profile): {
  readonly schemas: ReadonlyMap<number, string>;
  readonly records: readonly GoldenRecord[];
} {
  const file = JSON.parse(readFileSync(join(__dirname, `${profile}.golden.json`), 'utf8')) as GoldenFile;
  const bytes = (text: string | null): Buffer | null => {
    if (text === null) return null;
    if (text.startsWith('base64:')) return Buffer.from(text.slice(7), 'base64');
    const found = /^prefix:(\d+):(.*)$/s.exec(text);
    const whole = found === null ? text : (file.prefixes[Number(found[1])] ?? '') + (found[2] ?? '');
    return Buffer.from(whole, 'utf8');
  };
  return {
    schemas: new Map(Object.entries(file.schemas).map(([id, schema]) => [Number(id), JSON.stringify(schema)])),
    records: file.records.map(({ topic, key, value }) => ({ topic, key: bytes(key), value: bytes(value) })),
  };
}
