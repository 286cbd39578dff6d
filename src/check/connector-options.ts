/** The connector's options by which values or changes are lost, and what is wrong with each other value. */
import { finding, shell, type Finding } from './facts';
import type { Severity } from './kind';
import type { FindingId } from './kinds';

interface Rule {
  readonly id: FindingId;
  readonly option: string;
  /** The first is what our profile has; the others do no harm either. */
  readonly want: readonly [string, ...string[]];
  /** What Debezium or Kafka Connect takes when the option is not there. */
  readonly byDefault: string;
  /** Values that alter more than the kind of finding says. */
  readonly worse?: Readonly<Record<string, string>>;
  /** Whether the rule is about this connector. */
  readonly applies?: (config: Config) => boolean;
}

type Config = Readonly<Record<string, string>>;

const isJson = (config: Config): boolean => (config['value.converter'] ?? '').endsWith('.JsonConverter');

/** Sources: Debezium's documentation of the PostgreSQL connector, 3.7, and what was measured of each. */
const RULES: readonly Rule[] = [
  { id: 'option-plugin-name', option: 'plugin.name', want: ['pgoutput'], byDefault: 'decoderbufs' },
  { id: 'option-skipped-operations', option: 'skipped.operations', want: ['none'], byDefault: 't' },
  {
    id: 'option-event-converting-failure-handling-mode',
    option: 'event.converting.failure.handling.mode',
    want: ['fail'],
    byDefault: 'warn',
  },
  {
    id: 'option-value-converter-replace-null-with-default',
    option: 'value.converter.replace.null.with.default',
    want: ['false'],
    byDefault: 'true',
    applies: isJson,
  },
  { id: 'option-errors-tolerance', option: 'errors.tolerance', want: ['none'], byDefault: 'none' },
  { id: 'option-slot-drop-on-stop', option: 'slot.drop.on.stop', want: ['false'], byDefault: 'false' },
  {
    id: 'option-decimal-handling-mode',
    option: 'decimal.handling.mode',
    want: ['string'],
    byDefault: 'precise',
    worse: { double: 'numeric loses digits beyond the fifteenth.' },
  },
  {
    id: 'option-time-precision-mode',
    option: 'time.precision.mode',
    want: ['microseconds'],
    byDefault: 'adaptive',
    worse: { connect: 'Times are cut to milliseconds.' },
  },
  {
    id: 'option-binary-handling-mode',
    option: 'binary.handling.mode',
    want: ['hex'],
    byDefault: 'bytes',
    worse: {
      base64: 'A bytea that PostgreSQL did not repeat arrives as NULL, or stops the connector.',
      'base64-url-safe': 'A bytea that PostgreSQL did not repeat arrives as NULL, or stops the connector.',
    },
  },
  { id: 'option-interval-handling-mode', option: 'interval.handling.mode', want: ['string'], byDefault: 'numeric' },
  { id: 'option-exactly-once-support', option: 'exactly.once.support', want: ['required'], byDefault: 'requested' },
  {
    id: 'option-provide-transaction-metadata',
    option: 'provide.transaction.metadata',
    want: ['true'],
    byDefault: 'false',
  },
  {
    id: 'option-offset-mismatch-strategy',
    option: 'offset.mismatch.strategy',
    want: ['trust_offset'],
    byDefault: 'no_validation',
  },
  {
    id: 'option-snapshot-mode',
    option: 'snapshot.mode',
    want: ['initial', 'always', 'when_needed', 'configuration_based', 'custom'],
    byDefault: 'initial',
  },
  {
    id: 'option-topic-creation-default-cleanup-policy',
    option: 'topic.creation.default.cleanup.policy',
    want: ['delete'],
    byDefault: 'delete',
  },
];

/** Options that take something away from rows. */
const ALTERING =
  /^(column\.(exclude\.list|include\.list|mask\.|truncate\.)|snapshot\.select\.statement\.overrides|message\.key\.columns)/;

/** `apply` is the command that puts our profile in place. */
export function judgeOptions(config: Config, place: string, apply: string): Finding[] {
  const found = RULES.flatMap((rule): Finding[] => {
    if (rule.applies?.(config) === false) return [];
    const set = config[rule.option];
    const value = set ?? rule.byDefault;
    if (rule.want.includes(value)) return [];
    const what = `${rule.option} is ${value}${set === undefined ? ' (its default)' : ''}, not ${rule.want[0]}`;
    const why = rule.worse?.[value];
    const worse = why === undefined ? {} : { why, severity: 'error' as Severity };
    return [finding(rule.id, { place, what, mend: shell(apply), ...worse })];
  });
  return [
    ...found,
    ...judgeHeartbeat(config, place, apply),
    ...judgeTransforms(config, place, apply),
    ...judgeColumns(config, place, apply),
  ];
}

function judgeHeartbeat(config: Config, place: string, apply: string): Finding[] {
  if (Number(config['heartbeat.interval.ms'] ?? '0') > 0) return [];
  const what = 'heartbeat.interval.ms is 0 or not set';
  return [finding('option-heartbeat-interval-ms', { place, what, mend: shell(apply) })];
}

function judgeTransforms(config: Config, place: string, apply: string): Finding[] {
  const names = (config['transforms'] ?? '').split(',').map((name) => name.trim());
  return names
    .filter((name) => name !== '')
    .map((name) => {
      const type = config[`transforms.${name}.type`] ?? 'nothing';
      const id = type.endsWith('.ExtractNewRecordState') ? 'connector-flattens' : 'connector-transforms';
      return finding(id, { place, what: `transforms.${name} is ${type}`, mend: shell(apply) });
    });
}

function judgeColumns(config: Config, place: string, apply: string): Finding[] {
  const options = Object.keys(config).filter((option) => ALTERING.test(option));
  if (options.length === 0) return [];
  const what = `it has ${options.join(', ')}`;
  return [finding('connector-alters-columns', { place, what, mend: shell(apply) })];
}
