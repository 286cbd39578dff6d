/** Kafka Connect's REST interface: requests with time limits, and errors a person can act on. */
import { ServiceError } from '../errors';
import { httpCall, plainEndpoint } from '../http-call';
import type { HttpEndpoint } from '../security';

/** A connector's state as Kafka Connect reports it: RUNNING, PAUSED, STOPPED, FAILED, RESTARTING or UNASSIGNED. */
export interface PartState {
  readonly state: string;
  readonly trace?: string;
}

/** `GET /connectors/<name>/status`. */
export interface RawStatus {
  readonly connector: PartState;
  readonly tasks: readonly (PartState & { readonly id: number })[];
}

/** The calls this service makes; each throws CONNECT_UNREACHABLE or CONNECTOR_FAILED. */
export interface ConnectRest {
  /** The running configuration, or null when there is no such connector. */
  config(name: string): Promise<Readonly<Record<string, string>> | null>;
  /** Creates the connector or gives it this configuration; the same configuration again changes nothing. */
  putConfig(name: string, config: Readonly<Record<string, string>>): Promise<void>;
  status(name: string): Promise<RawStatus | null>;
  /** Ends the tasks and keeps the position in the source; `resume` starts them with the configuration of that moment. */
  stop(name: string): Promise<void>;
  resume(name: string): Promise<void>;
  /** Tasks end and keep their place; the connector stays assigned to its worker. */
  pause(name: string): Promise<void>;
  /** Connector and tasks begin anew: those that failed, or all. */
  restart(name: string, which: 'failed' | 'all'): Promise<void>;
  /** The worker's own version, and those of the plugins that it has. */
  versions(): Promise<{ readonly kafka: string; readonly plugins: readonly PluginVersion[] }>;
  /** Forgets the position in the source; the connector must be stopped. */
  deleteOffsets(name: string): Promise<void>;
  remove(name: string): Promise<void>;
}

export interface PluginVersion {
  readonly className: string;
  readonly version: string;
}

interface Answer {
  readonly status: number;
  readonly body: unknown;
}

// A worker that rebalances answers 409; one that is starting, or whose herder is busy, answers 500, 503 or 404 briefly.
const BUSY = new Set([409, 500, 503]);
const PAUSE_MS = 200;

/**
 * Opens Kafka Connect's REST interface. One request may take `requestMs`; a busy worker is asked again for `busyMs`.
 * `secrets` are cut out of every text that comes back.
 */
export function openConnect(
  at: string | HttpEndpoint,
  options: { requestMs?: number; busyMs?: number; secrets?: readonly string[] } = {},
): ConnectRest {
  const { requestMs = 20_000, busyMs = 30_000, secrets = [] } = options;

  const endpoint = typeof at === 'string' ? plainEndpoint(at) : at;

  const once = async (method: string, path: string, payload?: unknown): Promise<Answer> => {
    const request = { method, path: `/${path}`, timeoutMs: requestMs };
    const json = { headers: { 'content-type': 'application/json' }, body: JSON.stringify(payload) };
    try {
      const { status, text } = await httpCall(endpoint, payload === undefined ? request : { ...request, ...json });
      return { status, body: parseBody(text) };
    } catch (cause) {
      throw unreachable(endpoint.url, cause);
    }
  };

  const call = async (method: string, path: string, payload?: unknown): Promise<Answer> => {
    const deadline = performance.now() + busyMs;
    for (;;) {
      const answer = await once(method, path, payload);
      if (!BUSY.has(answer.status) || performance.now() > deadline) return answer;
      await pause(PAUSE_MS);
    }
  };

  const expect = (answer: Answer, doing: string): Answer => {
    if (answer.status < 300) return answer;
    if (answer.status === 401 || answer.status === 403) throw refusedLogin(endpoint.url, answer.status);
    throw new ServiceError('CONNECTOR_FAILED', `Kafka Connect refused to ${doing}: ${refusal(answer, secrets)}`, {
      hint: 'Correct the setting it names and run the command again; nothing was changed by the refused call.',
    });
  };

  const path = (name: string, rest: string): string => `connectors/${encodeURIComponent(name)}${rest}`;

  return {
    async config(name) {
      const answer = await call('GET', path(name, '/config'));
      if (answer.status === 404) return null;
      return expect(answer, 'show the connector').body as Record<string, string>;
    },
    async putConfig(name, config) {
      expect(await call('PUT', path(name, '/config'), config), 'take the configuration');
    },
    async status(name) {
      const answer = await call('GET', path(name, '/status'));
      if (answer.status === 404) return null;
      return expect(answer, 'show the status').body as RawStatus;
    },
    async stop(name) {
      expect(await call('PUT', path(name, '/stop')), 'stop the connector');
    },
    async resume(name) {
      expect(await call('PUT', path(name, '/resume')), 'resume the connector');
    },
    async pause(name) {
      expect(await call('PUT', path(name, '/pause')), 'pause the connector');
    },
    async restart(name, which) {
      const query = `?includeTasks=true&onlyFailed=${which === 'failed' ? 'true' : 'false'}`;
      expect(await call('POST', path(name, `/restart${query}`)), 'restart the connector');
    },
    async versions() {
      const root = expect(await call('GET', ''), 'tell its version').body as { version?: string };
      const plugins = expect(await call('GET', 'connector-plugins'), 'list its plugins').body;
      const listed = plugins as readonly { class?: string; version?: string }[];
      return {
        kafka: root.version ?? '',
        plugins: listed.map((one) => ({ className: one.class ?? '', version: one.version ?? '' })),
      };
    },
    async deleteOffsets(name) {
      expect(await call('DELETE', path(name, '/offsets')), 'forget the position in the source');
    },
    async remove(name) {
      const answer = await call('DELETE', path(name, ''));
      if (answer.status !== 404) expect(answer, 'delete the connector');
    },
  };
}

/** Waits `ms` milliseconds. */
export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** The messages of a task's trace and its causes, at most `lines`, without stack frames and without secrets. */
export function traceHead(trace: string, secrets: readonly string[], lines = 12): string {
  const head = trace
    .split('\n')
    .filter((line) => line.trim() !== '' && !/^\s+(at |\.\.\. \d+ (more|common))/.test(line))
    .slice(0, lines)
    .map((line) => line.replace(/\t/g, '  '))
    .join('\n');
  return redact(head, secrets);
}

/** Cuts secrets out of a text that came from elsewhere. */
export function redact(text: string, secrets: readonly string[]): string {
  let clean = text.replace(/(password["']?\s*[=:]\s*["']?)[^\s,&"'}]+/gi, '$1***');
  for (const secret of secrets) {
    // One or two letters would match everywhere and say nothing.
    if (secret.length > 2) clean = clean.split(secret).join('***');
  }
  return clean;
}

function parseBody(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return text;
  }
}

function refusal(answer: Answer, secrets: readonly string[]): string {
  const body = answer.body;
  const message =
    typeof body === 'object' && body !== null && 'message' in body ? String(body.message) : `HTTP ${answer.status}`;
  return traceHead(message, secrets);
}

function unreachable(url: string, cause: unknown): ServiceError {
  const place = safeHost(url);
  const { code } = cause as { code?: unknown };
  const why = typeof code === 'string' ? ` (${code})` : '';
  return new ServiceError('CONNECT_UNREACHABLE', `Kafka Connect does not answer at ${place}${why}`, {
    hint: 'Check CONNECT_URL and that the worker runs (make status, make logs PART=connect).',
    cause,
  });
}

function refusedLogin(url: string, status: number): ServiceError {
  return new ServiceError('CONNECT_REFUSED_LOGIN', `Kafka Connect at ${safeHost(url)} refused the login (${status})`, {
    hint: 'Set CONNECT_USER and CONNECT_PASSWORD (or CONNECT_PASSWORD_FILE), or CONNECT_TLS_CERT_FILE, to what its REST interface asks for.',
  });
}

function safeHost(url: string): string {
  try {
    return new URL(url).host;
  } catch {
    return 'the address in CONNECT_URL, which is no URL';
  }
}
