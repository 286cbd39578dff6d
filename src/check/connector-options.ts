/** The connector's options by which values or changes are lost, and what is wrong with each other value. */
import type { Finding, Severity } from './facts';

interface Rule {
  readonly option: string;
  readonly want: string;
  /** What Debezium or Kafka Connect takes when the option is not there. */
  readonly byDefault: string;
  readonly severity: Severity;
  readonly why: string;
  /** Values that alter more, or less, than the rule says. */
  readonly except?: Readonly<Record<string, { readonly severity: Severity; readonly why: string }>>;
  /** Whether the rule is about this connector. */
  readonly applies?: (config: Config) => boolean;
}

type Config = Readonly<Record<string, string>>;

const OTHER_FORM =
  'Nothing is lost, but plain JSON in another form than the profile has is read more slowly, or not yet.';

/** Sources: Debezium's documentation of the PostgreSQL connector, 3.7, and what was measured of each. */
const RULES: readonly Rule[] = [
  {
    option: 'plugin.name',
    want: 'pgoutput',
    byDefault: 'decoderbufs',
    severity: 'error',
    why: 'The default, decoderbufs, must be installed in PostgreSQL; pgoutput is part of it.',
  },
  {
    option: 'skipped.operations',
    want: 'none',
    byDefault: 't',
    severity: 'error',
    why: 'Operations that are skipped never arrive: after a TRUNCATE, which is skipped by default, the mirror would keep the rows.',
  },
  {
    option: 'event.converting.failure.handling.mode',
    want: 'fail',
    byDefault: 'warn',
    severity: 'error',
    why: 'A value that cannot be converted silently becomes NULL.',
  },
  {
    option: 'value.converter.replace.null.with.default',
    want: 'false',
    byDefault: 'true',
    severity: 'error',
    why: 'NULL in a column that has a DEFAULT arrives as the default.',
    applies: (config) => (config['value.converter'] ?? '').endsWith('.JsonConverter'),
  },
  {
    option: 'decimal.handling.mode',
    want: 'string',
    byDefault: 'precise',
    severity: 'warning',
    why: OTHER_FORM,
    except: { double: { severity: 'error', why: 'numeric loses digits beyond the fifteenth.' } },
  },
  {
    option: 'time.precision.mode',
    want: 'microseconds',
    byDefault: 'adaptive',
    severity: 'warning',
    why: OTHER_FORM,
    except: { connect: { severity: 'error', why: 'Times are cut to milliseconds.' } },
  },
  {
    option: 'binary.handling.mode',
    want: 'hex',
    byDefault: 'bytes',
    severity: 'warning',
    why: 'In the other modes a bytea that PostgreSQL did not repeat looks like a value, and cannot be told from one.',
  },
  {
    option: 'interval.handling.mode',
    want: 'string',
    byDefault: 'numeric',
    severity: 'error',
    why: 'As a number an interval loses its months and days: they become an average count of microseconds.',
  },
  {
    option: 'exactly.once.support',
    want: 'required',
    byDefault: 'requested',
    severity: 'warning',
    why: 'Without it the connector sends changes again after a crash. They are recognised, which costs a look-up each. The worker needs exactly.once.source.support=enabled.',
  },
  {
    option: 'provide.transaction.metadata',
    want: 'true',
    byDefault: 'false',
    severity: 'warning',
    why: 'The order of changes within a transaction (tx_order) stays empty.',
  },
  {
    option: 'offset.mismatch.strategy',
    want: 'trust_offset',
    byDefault: 'no_validation',
    severity: 'warning',
    why: 'Where the slot is ahead of the connector, changes between the two are skipped in silence.',
  },
];

/** `apply` is the command that puts our profile in place. */
export function judgeOptions(config: Config, place: string, apply: string): Finding[] {
  const findings: Finding[] = [];
  for (const rule of RULES) {
    if (rule.applies?.(config) === false) continue;
    const set = config[rule.option];
    const value = set ?? rule.byDefault;
    if (value === rule.want) continue;
    const { severity, why } = rule.except?.[value] ?? rule;
    findings.push({
      severity,
      place,
      what: `${rule.option} is ${value}${set === undefined ? ' (its default)' : ''}, not ${rule.want}`,
      why,
      mend: `Set "${rule.option}": "${rule.want}" in its configuration, or: ${apply}`,
    });
  }
  return [...findings, ...judgeFlattening(config, place)];
}

function judgeFlattening(config: Config, place: string): Finding[] {
  const flattening = Object.entries(config).filter(
    ([option, value]) => /^transforms\.[^.]+\.type$/.test(option) && value.endsWith('.ExtractNewRecordState'),
  );
  return flattening.map(([option]) => ({
    severity: 'error',
    place,
    what: `${option} is ExtractNewRecordState`,
    why: 'It throws away the old row, the operation and the position; what is left cannot be mirrored, and goes to quarantine.',
    mend: `Remove ${option.split('.')[1] ?? ''} from "transforms" in its configuration.`,
  }));
}
