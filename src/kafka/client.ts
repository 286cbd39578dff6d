/** How every client of ours is made, its requests without a group, and the error when the brokers do not answer. */
import { Kafka, logLevel, type Admin, type LogEntry, type SASLOptions } from 'kafkajs';
import { ServiceError } from '../errors';
import { tlsOptions, type KafkaLogin, type Tls } from '../security';
import { openTokens } from './oauth-token';
import { readEveryCompression } from './codecs';
import { quietRequestQueue } from './request-queue';
import { readIntoKeptBuffers, socketFactory } from './response-buffer';

export interface KafkaOptions {
  readonly brokers: readonly string[];
  readonly clientId: string;
  readonly groupId: string;
  readonly sessionTimeoutMs: number;
  /** null: plain text. */
  readonly tls: Tls | null;
  /** null: no login. */
  readonly sasl: KafkaLogin | null;
  /** Longest time a chunk may hold back the fetch loop before its partition is paused instead, ms. */
  readonly holdMs: number;
}

/** kafkajs never restarts a consumer by itself: its owner does, and says so. */
export const RETRY = {
  retries: 3,
  initialRetryTime: 200,
  maxRetryTime: 2_000,
  restartOnFailure: (): Promise<boolean> => Promise.resolve(false),
};

export function createKafka(options: KafkaOptions, onLog: (entry: LogEntry) => void): Kafka {
  quietRequestQueue();
  readIntoKeptBuffers();
  readEveryCompression();
  return new Kafka({
    clientId: options.clientId,
    brokers: [...options.brokers],
    socketFactory,
    connectionTimeout: 5_000,
    requestTimeout: 30_000,
    ...(options.tls === null ? {} : { ssl: tlsOptions(options.tls) }),
    ...(options.sasl === null ? {} : { sasl: saslOptions(options.sasl) }),
    retry: RETRY,
    logLevel: logLevel.ERROR,
    logCreator: () => onLog,
  });
}

function saslOptions(login: KafkaLogin): SASLOptions {
  if (login.mechanism !== 'oauthbearer') {
    return { mechanism: login.mechanism, username: login.user, password: login.password };
  }
  const tokens = openTokens(login.token);
  return { mechanism: 'oauthbearer', oauthBearerProvider: async () => ({ value: await tokens() }) };
}

export interface AdminRequests {
  /** Connects at the first request, and anew after one failed. Throws KAFKA_UNREACHABLE. */
  readonly ask: <T>(request: (admin: Admin) => Promise<T>) => Promise<T>;
  readonly close: () => Promise<void>;
}

/** One admin client for all requests of its owner. */
export function adminRequests(kafka: Kafka, options: KafkaOptions): AdminRequests {
  let admin: Promise<Admin> | null = null;
  const connect = async (): Promise<Admin> => {
    const client = kafka.admin();
    await client.connect();
    return client;
  };
  /** Only the client that failed is given up: another request may have made a new one meanwhile. */
  const letGo = async (of: Promise<Admin> | null): Promise<void> => {
    if (admin === of) admin = null;
    await of?.then((client) => client.disconnect()).catch(() => undefined);
  };
  return {
    async ask(request) {
      const client = (admin ??= connect());
      try {
        return await request(await client);
      } catch (cause) {
        await letGo(client);
        throw unreachable(options, cause);
      }
    },
    close: () => letGo(admin),
  };
}

/** KAFKA_UNREACHABLE, or KAFKA_REFUSED_LOGIN where a broker answered and did not let us in. */
export function unreachable({ brokers }: KafkaOptions, cause: unknown): ServiceError {
  const at = brokers.join(',');
  const refused = causes(cause).find(({ name }) => name === 'KafkaJSSASLAuthenticationError');
  if (refused !== undefined) {
    return new ServiceError('KAFKA_REFUSED_LOGIN', `Kafka at ${at} refused the login: ${refused.message}.`, {
      hint: 'Correct KAFKA_SASL_MECHANISM and the user, password or token of it; the brokers log why they refuse.',
    });
  }
  const token = causes(cause).find((one) => one instanceof ServiceError);
  if (token !== undefined) return token;
  return new ServiceError('KAFKA_UNREACHABLE', `Kafka at ${at} does not answer: ${reason(cause)}.`, {
    hint: `Nothing is lost: the service waits and goes on where it stopped. Check KAFKA_BROKERS${TLS_TROUBLE.test(reason(cause)) ? ', KAFKA_TLS and KAFKA_TLS_CA_FILE' : ''} (make status shows the local broker).`,
    cause,
  });
}

/** What is said when one side speaks TLS and the other does not, or when a certificate does not fit. */
const TLS_TROUBLE = /certificate|TLS|SSL|altname|disconnected|closed connection/i;

/** kafkajs wraps what went wrong, sometimes twice. */
function causes(error: unknown): Error[] {
  const found: Error[] = [];
  let next = error;
  while (next instanceof Error && found.length < 5) {
    found.push(next);
    next = next.cause;
  }
  return found;
}

export function reason(cause: unknown): string {
  return cause instanceof Error ? cause.message : 'unknown reason';
}
