/** `connectors apply`, `delete` and `status`: the connector's life, from the command line. */
import { EXIT } from './cli-failure';
import type { Config } from './config';
import { applyConnector, connectorStatus, deleteConnector, renderStatus } from './connect/connector';
import type { Profile } from './connect/profile';
import { ServiceError } from './errors';
import { openPostgres, type Postgres } from './postgres/client';
import type { HttpEndpoint } from './security';

type Print = (text: string) => void;

/** `wholeSchema`: capture every table of this schema, those made later too; else the tables that the settings include. */
export async function applyCommand(
  config: Config,
  options: { readonly profile: Profile; readonly wholeSchema: string | undefined },
  print: Print,
): Promise<number> {
  const { profile, wholeSchema } = options;
  const { include, exclude } = config.tables;
  const { extra } = config.connector;
  await withSource(config, (connectUrl, postgres) =>
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
      log: print,
    }),
  );
  return EXIT.done;
}

export async function deleteCommand(config: Config, print: Print): Promise<number> {
  const settings = config.connector.placeholders;
  await withSource(config, (connectUrl, postgres) => deleteConnector({ connectUrl, settings, postgres, log: print }));
  return EXIT.done;
}

/** 1 if the connector or a task of it does not run. */
export async function statusCommand(config: Config, print: Print, form: 'text' | 'json'): Promise<number> {
  const status = await connectorStatus({
    connectUrl: connectUrlOf(config),
    name: config.connector.name,
    secrets: config.secrets,
  });
  print(form === 'json' ? JSON.stringify(status, null, 2) : renderStatus(status));
  return status.running ? EXIT.done : EXIT.findings;
}

async function withSource<T>(
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
