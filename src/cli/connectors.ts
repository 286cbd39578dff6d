/** `connectors apply`, `status`, `restart`, `pause`, `resume` and `delete`: the connector's life, from the command line. */
import { EXIT } from './failure';
import type { Config } from '../config';
import {
  applyConnector,
  connectorStatus,
  deleteConnector,
  renderStatus,
  type ConnectorStatus,
} from '../connect/connector';
import { pauseConnector, restartConnector, resumeConnector } from '../connect/life';
import type { Profile } from '../connect/profile';
import { signalTopicOf } from '../connect/snapshot';
import { ServiceError } from '../errors';
import { makeTopic } from '../kafka/produce';
import { openPostgres, type Postgres } from '../postgres/client';
import type { HttpEndpoint } from '../security';

type Print = (text: string) => void;
export type Form = 'text' | 'json';

/** `wholeSchema`: capture every table of this schema, those made later too; else the tables that the settings include. */
export async function applyCommand(
  config: Config,
  options: { readonly profile: Profile; readonly wholeSchema: string | undefined },
  print: Print,
  form: Form,
): Promise<number> {
  const { profile, wholeSchema } = options;
  const { include, exclude } = config.tables;
  const steps = collectSteps(print, form);
  const extra = { ...config.connector.extra, ...(await prepareSignals(config, steps.log)) };
  const status = await withSource(config, (connectUrl, postgres) =>
    applyConnector({
      extra,
      connectUrl,
      profile,
      settings: config.connector.placeholders,
      postgres,
      capture:
        wholeSchema === undefined
          ? { kind: 'tables', include, exclude }
          : { kind: 'whole-schema', schema: wholeSchema },
      log: steps.log,
    }),
  );
  steps.end(status);
  return EXIT.done;
}

export async function deleteCommand(config: Config, print: Print, form: Form): Promise<number> {
  const settings = config.connector.placeholders;
  const steps = collectSteps(print, form);
  await withSource(config, (connectUrl, postgres) =>
    deleteConnector({ connectUrl, settings, postgres, log: steps.log }),
  );
  steps.end({ name: config.connector.name, state: 'MISSING' });
  return EXIT.done;
}

/** 1 if the connector or a task of it does not run. */
export async function statusCommand(config: Config, print: Print, form: Form): Promise<number> {
  const status = await connectorStatus({
    connectUrl: connectUrlOf(config),
    name: config.connector.name,
    secrets: config.secrets,
  });
  print(form === 'json' ? JSON.stringify(status, null, 2) : renderStatus(status));
  return status.running ? EXIT.done : EXIT.findings;
}

/** What is done to a connector that is there; each waits until it is so. */
export type Change =
  { readonly kind: 'restart'; readonly which: 'failed' | 'all' } | { readonly kind: 'pause' | 'resume' };

export async function changeCommand(config: Config, change: Change, print: Print, form: Form): Promise<number> {
  const at = { connectUrl: connectUrlOf(config), name: config.connector.name, secrets: config.secrets };
  const acts: Readonly<Record<Change['kind'], () => Promise<ConnectorStatus>>> = {
    restart: () => restartConnector(at, change.kind === 'restart' ? change.which : 'failed'),
    pause: () => pauseConnector(at),
    resume: () => resumeConnector(at),
  };
  const status = await acts[change.kind]();
  print(form === 'json' ? JSON.stringify(status, null, 2) : renderStatus(status));
  return EXIT.done;
}

/** With `json` one object at the end, which holds the lines too. */
function collectSteps(print: Print, form: Form): { log: Print; end: (status: object) => void } {
  if (form === 'text') return { log: print, end: () => undefined };
  const steps: string[] = [];
  return {
    log: (line) => void steps.push(line),
    end: (status) => print(JSON.stringify({ ...status, steps }, null, 2)),
  };
}

/** With a topic nothing is written to the source: neither signals nor the heartbeat's message. */
async function prepareSignals(config: Config, log: Print): Promise<Record<string, string | null>> {
  if (config.connector.signalChannel === 'table') return {};
  const topic = signalTopicOf(config.topicPrefix);
  if (await makeTopic({ ...config.kafka, holdMs: 0 }, topic)) log(`signal topic ${topic}: created`);
  return {
    'read.only': 'true',
    'signal.enabled.channels': 'kafka',
    'signal.kafka.topic': topic,
    'signal.kafka.bootstrap.servers': config.connector.brokers.join(','),
    'signal.kafka.groupId': `${config.connector.name}-signals`,
    'signal.data.collection': null,
    'heartbeat.action.query': null,
  };
}

/** A connection to the source while `act` works. Throws CONFIG_INVALID where no setting names the source or Connect. */
export async function withSource<T>(
  config: Config,
  act: (connectUrl: HttpEndpoint, postgres: Postgres) => Promise<T>,
): Promise<T> {
  const connectUrl = connectUrlOf(config);
  if (config.postgres === null) throw notSet('PG_URL', 'postgres://user:password@host:5432/database');
  const postgres = openPostgres(config.postgres);
  try {
    return await act(connectUrl, postgres);
  } finally {
    await postgres.close();
  }
}

function connectUrlOf(config: Config): HttpEndpoint {
  if (config.connect === null) throw notSet('CONNECT_URL', 'http://localhost:8083');
  return config.connect;
}

function notSet(name: string, example: string): ServiceError {
  return new ServiceError('CONFIG_INVALID', `This command needs ${name}, and it is not set.`, {
    hint: `Set it in the environment or in .env, for example ${name}=${example}`,
  });
}
