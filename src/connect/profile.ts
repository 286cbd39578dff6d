/** The connector profiles of `connectors/*.json`: finding them and filling their placeholders from settings. */
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { ServiceError } from '../errors';

/** The supported profiles; the name is the file's in `connectors/`. */
export const PROFILES = ['json', 'json-schema', 'avro'] as const;
export type Profile = (typeof PROFILES)[number];

/** A profile as it stands in its file, or filled, ready for Kafka Connect. */
export interface ConnectorDefinition {
  readonly name: string;
  readonly config: Readonly<Record<string, string>>;
}

/** What a placeholder becomes when no setting says otherwise. Those not listed here must be set. */
export const PLACEHOLDER_DEFAULTS: Readonly<Record<string, string>> = {
  CONNECTOR_NAME: 'debezium-clickhouse',
  TOPIC_PREFIX: 'cdc',
  SLOT_NAME: 'debezium_clickhouse',
  PUBLICATION_NAME: 'debezium_clickhouse',
  SIGNAL_TABLE: 'public.debezium_signal',
  TOPIC_PARTITIONS: '1',
  TOPIC_REPLICATION: '1',
  TOPIC_RETENTION_MS: '604800000',
  MAX_MESSAGE_BYTES: '100000000',
  HEARTBEAT_MS: '10000',
};

// Only capitals: Kafka Connect's own placeholders, such as ${env:PG_PASSWORD}, pass through untouched.
const PLACEHOLDER = /\$\{([A-Z][A-Z0-9_]*)\}/g;

/** Settings with the defaults under them; an empty value counts as not set, except a password, which may be empty. */
export function withDefaults(settings: Readonly<Record<string, string | undefined>>): Record<string, string> {
  const values: Record<string, string> = { ...PLACEHOLDER_DEFAULTS };
  for (const [name, value] of Object.entries(settings)) {
    if (value === undefined || (value === '' && !name.endsWith('_PASSWORD'))) continue;
    // Settings may name the registry as Confluent's clients want it; the converter wants what is before that path.
    values[name] = name === 'REGISTRY_URL' ? value.replace(/(\/apis\/.*|\/+)$/, '') : value;
  }
  return values;
}

/**
 * Replaces every placeholder once (a value that looks like a placeholder is not filled again).
 * Throws CONFIG_INVALID that names all settings without a value.
 */
export function fillPlaceholders(
  definition: ConnectorDefinition,
  values: Readonly<Record<string, string>>,
): ConnectorDefinition {
  const missing = new Set<string>();
  const fill = (text: string): string =>
    text.replace(PLACEHOLDER, (_whole, name: string) => {
      const value = values[name];
      if (value === undefined) missing.add(name);
      return value ?? '';
    });
  const name = fill(definition.name);
  const config = Object.fromEntries(Object.entries(definition.config).map(([key, value]) => [key, fill(value)]));
  if (missing.size > 0) {
    const names = [...missing].sort().join(', ');
    throw new ServiceError('CONFIG_INVALID', `the connector profile needs ${names}, which is not set`, {
      hint: `Set ${names} in the environment or in .env; connectors/README.md says what each is for.`,
    });
  }
  return { name, config };
}

/** Reads `connectors/<profile>.json` of this package, placeholders unfilled. Throws CONFIG_FILE_UNREADABLE. */
export function readProfile(profile: Profile, folder: string = profilesFolder()): ConnectorDefinition {
  const file = join(folder, `${profile}.json`);
  try {
    const parsed: unknown = JSON.parse(readFileSync(file, 'utf8'));
    if (isDefinition(parsed)) return parsed;
  } catch (cause) {
    throw unreadable(file, cause);
  }
  throw unreadable(file, undefined);
}

function isDefinition(value: unknown): value is ConnectorDefinition {
  if (typeof value !== 'object' || value === null) return false;
  const { name, config } = value as { name?: unknown; config?: unknown };
  if (typeof name !== 'string' || typeof config !== 'object' || config === null) return false;
  return Object.values(config).every((option) => typeof option === 'string');
}

function unreadable(file: string, cause: unknown): ServiceError {
  return new ServiceError('CONFIG_FILE_UNREADABLE', `the connector profile ${file} cannot be read`, {
    hint: 'It must be JSON with "name" and "config", every option a string; compare it with the one in the repository.',
    cause,
  });
}

/** The folder `connectors/` is beside package.json, found from here whether this runs compiled or not. */
function profilesFolder(): string {
  for (let folder = __dirname; folder !== dirname(folder); folder = dirname(folder)) {
    const candidate = join(folder, 'connectors');
    if (existsSync(join(candidate, 'json.json'))) return candidate;
  }
  throw unreadable('connectors/json.json', undefined);
}
