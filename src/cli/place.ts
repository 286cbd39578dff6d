/** The forms in which the commands for operating name records, tables and moments. */
import { ServiceError } from '../errors';
import type { TopicPartition } from '../model';
import { parseMoment } from '../plan/replay';

export interface Place extends TopicPartition {
  readonly offset: number;
}

/** `topic:partition:offset`. Throws CONFIG_INVALID. */
export function placeOf(text: string): Place {
  const found = /^([A-Za-z0-9._-]+):(\d{1,9}):(\d{1,15})$/.exec(text.trim());
  if (found === null) {
    throw wrong(`"${text}" is no place of a record: it must be topic:partition:offset.`, 'cdc.public.orders:0:1200');
  }
  return { topic: found[1] ?? '', partition: Number(found[2]), offset: Number(found[3]) };
}

/** The first point parts schema and name. Throws CONFIG_INVALID. */
export function schemaAndTable(text: string): { readonly schema: string; readonly table: string } {
  const at = text.indexOf('.');
  if (at > 0 && at < text.length - 1) return { schema: text.slice(0, at), table: text.slice(at + 1) };
  throw wrong('--table must be schema.table.', '--table public.orders');
}

const UNITS: Readonly<Record<string, number>> = { min: 60_000, h: 3_600_000, d: 86_400_000 };

/** A moment, or how long ago: `2026-01-31T08:00:00Z`, `30min`, `2h`, `7d`. Milliseconds since 1970. Throws CONFIG_INVALID. */
export function sinceOf(text: string, nowMs: number): number {
  const [, amount, unit = ''] = /^(\d{1,6})\s*(min|h|d)$/.exec(text.trim()) ?? [];
  const moment = amount === undefined ? parseMoment(text) : nowMs - Number(amount) * (UNITS[unit] ?? 0);
  if (moment !== null) return moment;
  throw wrong('--since must be a moment with its zone in ISO 8601, or how long ago.', '--since 2h');
}

function wrong(message: string, example: string): ServiceError {
  return new ServiceError('CONFIG_INVALID', message, { hint: `For example: ${example}` });
}
