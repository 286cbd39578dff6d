/** The connector's options that decide how plain JSON is to be read: from its configuration, and from a setting in the same words. */
import { PROFILE_MODES, type ConnectorModes } from './model';

/** Each option with the values this service reads. The first is what Debezium or the converter takes by default. */
const OPTIONS = {
  decimal: ['decimal.handling.mode', ['precise', 'double', 'string']],
  decimalFormat: ['value.converter.decimal.format', ['BASE64', 'NUMERIC']],
  time: [
    'time.precision.mode',
    ['adaptive', 'adaptive_time_microseconds', 'connect', 'isostring', 'microseconds', 'nanoseconds'],
  ],
  binary: ['binary.handling.mode', ['bytes', 'base64', 'base64-url-safe', 'hex']],
  interval: ['interval.handling.mode', ['numeric', 'string']],
  hstore: ['hstore.handling.mode', ['json', 'map']],
} as const satisfies { [K in keyof ConnectorModes]: readonly [string, readonly ConnectorModes[K][]] };

type ModeName = keyof ConnectorModes;
const MODE_NAMES = Object.keys(OPTIONS) as ModeName[];

/** The options by name, for documentation. */
export const MODE_OPTIONS: readonly string[] = MODE_NAMES.map((name) => OPTIONS[name][0]);

/** How a connector of this configuration writes; the name of an option that has a value which this service does not read. */
export function modesOfConnector(
  config: Readonly<Record<string, string>>,
): ConnectorModes | { readonly unread: string } {
  const modes: Partial<Record<ModeName, string>> = {};
  for (const name of MODE_NAMES) {
    const [option, values] = OPTIONS[name];
    const value = valueOf(config[option] ?? values[0], values);
    if (value === undefined) return { unread: option };
    modes[name] = value;
  }
  return modes as unknown as ConnectorModes;
}

/** Debezium and Kafka take their options in any case. */
function valueOf(text: string, values: readonly string[]): string | undefined {
  return values.find((value) => value.toLowerCase() === text.trim().toLowerCase());
}

/** Reads `option=value` entries; those not named are as in our profile. Undefined where one is not understood. */
export function modesOfText(text: string): ConnectorModes | undefined {
  const modes: Record<string, string> = { ...PROFILE_MODES };
  const entries = text
    .split(',')
    .map((entry) => entry.trim())
    .filter((entry) => entry !== '');
  for (const entry of entries) {
    const [, option = '', given = ''] = /^([^=]+)=(.+)$/.exec(entry) ?? [];
    const name = MODE_NAMES.find((one) => OPTIONS[one][0] === option.trim());
    const value = name === undefined ? undefined : valueOf(given, OPTIONS[name][1]);
    if (name === undefined || value === undefined) return undefined;
    modes[name] = value;
  }
  return modes as unknown as ConnectorModes;
}

/** The options in which two differ, as `option=value` of the second; empty where they are alike. */
export function modesBeside(known: ConnectorModes, other: ConnectorModes): string[] {
  return MODE_NAMES.filter((name) => known[name] !== other[name]).map((name) => `${OPTIONS[name][0]}=${other[name]}`);
}

/** All of them as the setting takes them. */
export function modesText(modes: ConnectorModes): string {
  return MODE_NAMES.map((name) => `${OPTIONS[name][0]}=${modes[name]}`).join(',');
}

/** What it means that the connector writes otherwise than was thought. */
export function modesDiffer(from: 'before' | 'setting', options: readonly string[]): string {
  const told =
    from === 'setting'
      ? 'the connector is configured otherwise than CONNECTOR_MODES, which counts: its records in plain JSON are read wrong, unless they are of before'
      : 'the connector writes in another way than when it was last looked at; records in plain JSON that were still unread then are read in the new way';
  return `${told} (${options.join(', ')})`;
}
