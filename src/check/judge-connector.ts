/** What is wrong with the connector: the worker's plugin, its state, and whether its options fit the settings. */
import { modesBeside, modesOfConnector, modesText } from '../connector-modes';
import { judgeOptions } from './connector-options';
import { byHand, finding, shell, shellWord } from './facts';
import type { ConnectFacts, Finding, Looked, Wanted } from './facts';

type Config = Readonly<Record<string, string>>;

/** The command that gives this connector our profile again, in the form that it has and for the tables that it captures. */
export function applyCommand(config: Config | null): string {
  const plain = 'debezium-clickhouse connectors apply';
  if (config === null) return plain;
  const converter = config['value.converter'] ?? '';
  const withSchema = config['value.converter.schemas.enable'] !== 'false';
  const profile = !converter.endsWith('.JsonConverter') ? 'avro' : withSchema ? 'json-schema' : 'json';
  const [, schema] = /^(\w+)\\\.\.\*$/.exec(config['table.include.list'] ?? '') ?? [];
  const whole = schema !== undefined && 'replica.identity.autoset.values' in config ? ` --whole-schema ${schema}` : '';
  return `${plain}${profile === 'json' ? '' : ` --profile ${profile}`}${whole}`;
}

export function judgeConnect(facts: ConnectFacts, wanted: Wanted): Finding[] {
  const { config, plugin } = facts;
  const apply = applyCommand(config);
  const worker = judgePlugin(plugin);
  const place = `connector ${wanted.connectorName}`;
  if (config === null) {
    return [...worker, finding('connector-missing', { place, what: 'it does not exist', mend: shell(apply) })];
  }
  return [
    ...worker,
    ...judgeState(facts, place),
    ...judgeFit(config, wanted, place),
    ...judgeOptions(config, place, apply),
  ];
}

function judgePlugin(plugin: string | null): Finding[] {
  const mend = byHand(
    "Put the plugin debezium-connector-postgres 3.7.0.Final into the worker's plugin.path, and restart it.",
  );
  const place = 'Kafka Connect';
  if (plugin === null) {
    return [
      finding('debezium-missing', {
        place,
        what: 'it has no io.debezium.connector.postgresql.PostgresConnector',
        mend,
      }),
    ];
  }
  const [major = 0, minor = 0] = plugin.split('.').map(Number);
  if (major > 3 || (major === 3 && minor >= 7)) return [];
  return [finding('debezium-version', { place, what: `its Debezium is ${plugin}`, mend })];
}

function judgeState({ running, state, taskFailed, status }: ConnectFacts, place: string): Finding[] {
  if (running) return [];
  if (state === 'PAUSED' || state === 'STOPPED') {
    // Starts what had failed before the pause too.
    const mend = shell('debezium-clickhouse connectors resume');
    const paused = finding('connector-paused', { place, what: `it is ${state}`, mend });
    if (!taskFailed) return [paused];
    return [paused, finding('connector-failed', { place, what: `its task has failed besides: ${status}`, mend })];
  }
  // Its cause first: other findings, and the error itself.
  const mend = shell('debezium-clickhouse connectors restart');
  return [finding('connector-failed', { place, what: `it does not run: ${status}`, mend })];
}

function judgeFit(config: Config, wanted: Wanted, place: string): Finding[] {
  const found: Finding[] = [];
  const prefix = config['topic.prefix'] ?? '';
  if (prefix !== wanted.topicPrefix) {
    const what = `its topic.prefix is ${prefix}, and TOPIC_PREFIX is ${wanted.topicPrefix}`;
    found.push(finding('connector-prefix', { place, what, mend: shell(`export TOPIC_PREFIX=${shellWord(prefix)}`) }));
  }
  const fits = [
    ['slot.name', wanted.slot, 'SLOT_NAME'],
    ['publication.name', wanted.publication, 'PUBLICATION_NAME'],
  ] as const;
  for (const [option, want, setting] of fits) {
    const has = config[option];
    if (has === undefined || has === want) continue;
    const what = `its ${option} is ${has}, and ${setting} is ${want}`;
    found.push(finding('connector-slot', { place, what, mend: shell(`export ${setting}=${shellWord(has)}`) }));
  }
  const placeholder = config['unavailable.value.placeholder'];
  if (placeholder !== undefined && placeholder !== wanted.unavailableValue) {
    const what = 'its unavailable.value.placeholder is not UNAVAILABLE_VALUE';
    const mend = shell(`export UNAVAILABLE_VALUE=${shellWord(placeholder)}`);
    found.push(finding('connector-placeholder', { place, what, mend }));
  }
  return [...found, ...judgeModes(config, wanted, place)];
}

/** How the service would read plain JSON, beside how the connector writes it. */
function judgeModes(config: Config, { modes: set }: Wanted, place: string): Finding[] {
  const written = modesOfConnector(config);
  if ('unread' in written) {
    const what = `its ${written.unread} is ${config[written.unread] ?? ''}, which is not read`;
    return [finding('connector-modes', { place, what, mend: shell(applyCommand(config)) })];
  }
  const differing = set === null || !isPlainJson(config) ? [] : modesBeside(set, written);
  if (differing.length === 0) return [];
  const what = `it has ${differing.join(', ')}, and CONNECTOR_MODES says otherwise`;
  const mend = shell(`export CONNECTOR_MODES=${shellWord(modesText(written))}`);
  return [finding('connector-modes', { place, what, mend })];
}

function isPlainJson(config: Config): boolean {
  const schemas = config['value.converter.schemas.enable'] ?? 'true';
  return (config['value.converter'] ?? '').endsWith('.JsonConverter') && schemas === 'false';
}

/** Only where the connector writes Avro is a registry needed. */
export function judgeRegistry(registry: Looked<null>, connect: ConnectFacts | null): Finding[] {
  const config = connect?.config ?? null;
  const isAvro = config !== null && /avro/i.test(config['value.converter'] ?? '');
  const place = 'schema registry';
  if (registry.state === 'failed') {
    const what = `${registry.message.replace(/\.$/, '')} [${registry.code}]`;
    return [finding('registry-unreachable', { place, what, mend: byHand(registry.hint) })];
  }
  if (registry.state === 'reached' || !isAvro) return [];
  const url = Object.entries(config).find(([option]) => /registry\.url$/.test(option))?.[1] ?? 'http://registry:8080';
  const what = 'REGISTRY_URL is not set';
  return [finding('registry-not-set', { place, what, mend: shell(`export REGISTRY_URL=${shellWord(url)}`) })];
}
