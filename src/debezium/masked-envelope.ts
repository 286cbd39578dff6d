/** An envelope whose images are masked, for commands that hand envelopes on as text. */
import { openEnvelope } from './envelope';
import { Envelope } from './envelope-found';
import type { ImageMask } from './image-mask';
import { JsonOutput } from './json-output';
import { textOf } from './json-scan';

/** Plain JSON with `op`, `source`'s schema and table, and the images; the value as it stands where its table has no mask; null for what is no change. */
export function maskedEnvelope(
  value: Uint8Array,
  maskOf: (schema: string, table: string) => ImageMask | null,
): string | null {
  const e = new Envelope();
  if (openEnvelope(value, 0, value.length, e) !== 'change') return null;
  const schema = textOf(value, e.schemaStart, e.schemaEnd);
  const table = textOf(value, e.tableStart, e.tableEnd);
  const mask = maskOf(schema, table);
  if (mask === null) return Buffer.from(value.buffer, value.byteOffset, value.length).toString('utf8');
  const image = (start: number, end: number): string => {
    if (start < 0) return 'null';
    const output = new JsonOutput();
    mask.write(value, start, end, output);
    return Buffer.from(output.bytes.buffer, 0, output.at).toString('utf8');
  };
  const source = JSON.stringify({ schema, table });
  return `{"op":"${String.fromCharCode(e.op)}","source":${source},"before":${image(e.beforeStart, e.beforeEnd)},"after":${image(e.afterStart, e.afterEnd)}}`;
}
