/** How the stack is shown: `export` lines, the status table. */
import type { ConnectorStatus } from '../src/connect/connector';
import type { StackEnv } from './state';

/** The settings that `make env` prints, in this order. */
export const ENV_NAMES = ['PG_URL', 'CH_URL', 'CH_DATABASE', 'KAFKA_BROKERS', 'CONNECT_URL', 'REGISTRY_URL'] as const;

/** `export` lines for a shell. One without a value is set to nothing, which every setting reads as not set. */
export function exportLines(env: StackEnv): string {
  return ENV_NAMES.map((name) => `export ${name}=${shellQuote(env[name] ?? '')}`).join('\n');
}

/** A word that a POSIX shell reads back unchanged. */
export function shellQuote(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}

/** One line of the status table. `no answer`: its process runs but does not answer. */
export interface PartStatus {
  readonly part: string;
  readonly state: 'up' | 'down' | 'no answer';
  readonly port: number | null;
  /** pid or container. */
  readonly process: string;
  readonly version: string;
  readonly log: string;
}

/** The table of parts, as wide as its contents. */
export function statusTable(parts: readonly PartStatus[]): string {
  const head = ['PART', 'STATE', 'PORT', 'PID', 'VERSION', 'LOG'];
  const rows = parts.map((part) => [
    part.part,
    part.state,
    part.port === null ? '' : String(part.port),
    part.process,
    part.version,
    part.log,
  ]);
  const widths = head.map((title, column) => Math.max(title.length, ...rows.map((row) => row[column]?.length ?? 0)));
  return [head, ...rows]
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

/** Whether the exit code of `status` may be 0. */
export function allUp(parts: readonly PartStatus[], connector: ConnectorStatus | null): boolean {
  return parts.every((part) => part.state === 'up') && (connector === null || connector.running);
}
