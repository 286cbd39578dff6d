/** What a kind of finding is made of. */

/**
 * `error`: the service would not start, or changes would be lost or altered. `warning`: it works, with less or at a risk.
 * `notice`: worth knowing, nothing has to be done.
 */
export type Severity = 'error' | 'warning' | 'notice';

export interface Kind {
  /** Where it stands in docs/check.md. */
  readonly part: 'PostgreSQL' | 'Kafka Connect' | 'Kafka' | 'Registry' | 'ClickHouse' | 'Settings';
  readonly severity: Severity;
  readonly why: string;
}

export const kind = (part: Kind['part'], severity: Severity, why: string): Kind => ({ part, severity, why });
