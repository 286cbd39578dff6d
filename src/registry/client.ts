/** The one door to the schema registry: the text of a writer schema by the number that a record has it under. */
import { SchemaRegistry } from '@kafkajs/confluent-schema-registry';
import { Agent as HttpsAgent } from 'node:https';
import type { SchemaRef } from '../debezium/schema-header';
import { ServiceError } from '../errors';
import { httpCall, type HttpAnswer } from '../http-call';
import { tlsOptions, type HttpEndpoint } from '../security';

/** Asks once for a schema and remembers what it was told. */
export interface Registry {
  /**
   * The text of a writer schema, or null where the registry does not have it (yet: a replica may lag). Throws
   * REGISTRY_UNREACHABLE when it does not answer in time, REGISTRY_REFUSED_LOGIN when it does not let us in.
   */
  schema(ref: SchemaRef): Promise<string | null>;
}

/** Where Apicurio has the interface of Confluent's registry. */
const APICURIO = '/apis/ccompat/v7';

type Options = ConstructorParameters<typeof SchemaRegistry>[0];
type Middleware = NonNullable<Options['middlewares']>[number];

/**
 * Confluent's registry, Karapace, or Apicurio with or without its path; which of them is found at the first request.
 * One request may take `requestMs`.
 */
export function openRegistry(endpoint: HttpEndpoint, { requestMs = 10_000 }: { requestMs?: number } = {}): Registry {
  /** What came back, by its path: the library keeps of a schema only what it needs itself. */
  const raw = new Map<string, string>();
  const keep: Middleware = () => ({
    prepareRequest: (next) => next().then((request) => request.enhance({ timeout: requestMs })),
    response: (next) =>
      next().then((response) => {
        raw.set(response.request().path(), response.rawData() ?? '');
        return response;
      }),
  });
  let opened: Promise<{ readonly base: string; readonly client: SchemaRegistry }> | null = null;

  const open = async (): Promise<{ readonly base: string; readonly client: SchemaRegistry }> => {
    const base = await findBase(endpoint, requestMs);
    const options: Options = {
      host: base,
      // Waiting and asking again is the delivery's business.
      retry: { retries: 0 },
      middlewares: [keep],
      ...(endpoint.user === null ? {} : { auth: { username: endpoint.user, password: endpoint.password } }),
      ...(endpoint.tls === null ? {} : { agent: new HttpsAgent(tlsOptions(endpoint.tls)) }),
    };
    return { base, client: new SchemaRegistry(options) };
  };

  const byId = async (id: number): Promise<string | null> => {
    opened ??= open().catch((error: unknown) => {
      opened = null;
      throw error;
    });
    const { client } = await opened;
    const path = `/schemas/ids/${id}`;
    try {
      await within(client.getSchema(id), requestMs, endpoint);
    } catch (cause) {
      // A schema that the library cannot parse was answered all the same.
      if (!raw.has(path)) return refusal(cause, endpoint);
    }
    const answer = raw.get(path);
    raw.delete(path);
    return answer === undefined ? null : schemaIn(answer);
  };

  /** Apicurio's own interface, for its own two kinds of number. */
  const byOwnId = async (space: 'globalId' | 'contentId', id: number): Promise<string | null> => {
    const root = endpoint.url.replace(/\/apis\/.*$/, '');
    for (const version of ['v2', 'v3']) {
      const path = `/apis/registry/${version}/ids/${space}s/${id}`;
      const { status, text } = await call({ ...endpoint, url: root }, path, requestMs);
      if (status === 200) return text;
      if (status !== 404) throw statusError(endpoint, status);
    }
    return null;
  };

  return {
    async schema({ space, id }) {
      if (space === 'id') return byId(id);
      if (space !== 'either') return byOwnId(space, id);
      const [ofGlobalId, ofContentId] = [await byOwnId('globalId', id), await byOwnId('contentId', id)];
      // Both numbers are counted on their own, so only a number that means one schema can be trusted.
      if (ofGlobalId !== null && ofContentId !== null && ofGlobalId !== ofContentId) return AMBIGUOUS;
      return ofGlobalId ?? ofContentId;
    },
  };
}

/** No schema: it is reported as one that cannot be read. */
const AMBIGUOUS = '';

async function findBase(endpoint: HttpEndpoint, requestMs: number): Promise<string> {
  let status = 0;
  for (const path of endpoint.url.includes('/apis/') ? [''] : ['', APICURIO]) {
    const answer = await call(endpoint, `${path}/schemas/types`, requestMs);
    if (answer.status === 200 && answer.text.trimStart().startsWith('[')) return endpoint.url + path;
    ({ status } = answer);
    if (status === 401 || status === 403) throw statusError(endpoint, status);
  }
  throw statusError(endpoint, status);
}

async function call(endpoint: HttpEndpoint, path: string, timeoutMs: number): Promise<HttpAnswer> {
  try {
    return await httpCall(endpoint, { method: 'GET', path, timeoutMs });
  } catch (cause) {
    throw unreachable(endpoint, 'it does not answer', cause);
  }
}

/** The library waits for ever where nothing answers and no timeout reaches the socket. */
async function within<T>(answer: Promise<T>, requestMs: number, endpoint: HttpEndpoint): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(unreachable(endpoint, 'it does not answer in time')), requestMs * 1.5);
  });
  try {
    return await Promise.race([answer, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Null for a schema that is not there; throws for anything else. The library has the status of an answer in its error. */
function refusal(cause: unknown, endpoint: HttpEndpoint): null {
  if (cause instanceof ServiceError) throw cause;
  const status = typeof cause === 'object' && cause !== null && 'status' in cause ? cause.status : undefined;
  if (status === 404) return null;
  // 400 is what the library makes of a connection that failed.
  if (typeof status === 'number' && status !== 400) throw statusError(endpoint, status, cause);
  throw unreachable(endpoint, 'it does not answer', cause);
}

/** The schema in Confluent's answer; '' for an answer without one. Avro is what has no type. */
function schemaIn(answer: string): string {
  const { schema, schemaType = 'AVRO' } = JSON.parse(answer) as { schema?: unknown; schemaType?: unknown };
  return typeof schema === 'string' && schemaType === 'AVRO' ? schema : '';
}

function statusError(endpoint: HttpEndpoint, status: number, cause?: unknown): ServiceError {
  if (status !== 401 && status !== 403) return unreachable(endpoint, `it answers with status ${status}`, cause);
  return new ServiceError(
    'REGISTRY_REFUSED_LOGIN',
    `The schema registry at ${endpoint.url} refused the login with status ${status}.`,
    { hint: 'Set REGISTRY_USER and REGISTRY_PASSWORD of an account that may read schemas.', cause },
  );
}

function unreachable(endpoint: HttpEndpoint, why: string, cause?: unknown): ServiceError {
  return new ServiceError('REGISTRY_UNREACHABLE', `The schema registry at ${endpoint.url} cannot be asked: ${why}.`, {
    hint: 'Nothing is lost: records wait in Kafka until it answers. Check that it runs and that REGISTRY_URL leads to it.',
    cause,
  });
}
