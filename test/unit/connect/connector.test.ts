/** The connector's life, against a server that answers as Kafka Connect does. */
import { createServer } from 'node:http';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import {
  applyConnector,
  connectorStatus,
  deleteConnector,
  renderStatus,
  settledStatus,
} from '../../../src/connect/connector';
import type { ApplyOptions } from '../../../src/connect/connector';
import { pauseConnector, resumeConnector } from '../../../src/connect/life';
import { traceHead } from '../../../src/connect/rest';
import type { SourceSql } from '../../../src/connect/source';

const SECRET = 'very-secret-7';
const TRACE = [
  `org.apache.kafka.connect.errors.ConnectException: cannot log in with ${SECRET}`,
  '\tat io.debezium.Something.start(Something.java:1)',
  'Caused by: org.postgresql.util.PSQLException: FATAL: no such slot',
  '\t... 12 more',
].join('\n');

/** A worker with one connector at most; each request is kept as `METHOD path`. */
class FakeWorker {
  readonly requests: string[] = [];
  config: Record<string, string> | null = null;
  state = 'RUNNING';
  taskState = 'RUNNING';
  trace = '';
  busyAnswers = 0;
  /** So many statuses say UNASSIGNED, as while a worker takes up a configuration. */
  passingAnswers = 0;
  refusal: string | null = null;
  private readonly server: Server;

  constructor() {
    this.server = createServer((request, response) => {
      let body = '';
      request.on('data', (chunk: Buffer) => (body += chunk.toString()));
      request.on('end', () => {
        const path = (request.url ?? '').replace('/connectors/debezium-clickhouse', '');
        const { status, answer } = this.answer(`${request.method} ${path}`, body);
        response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(answer ?? ''));
      });
    });
  }

  async start(): Promise<string> {
    await new Promise<void>((resolve) => this.server.listen(0, '127.0.0.1', resolve));
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  async stop(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }

  private answer(request: string, body: string): { status: number; answer?: unknown } {
    this.requests.push(request);
    if (this.busyAnswers > 0) {
      this.busyAnswers -= 1;
      return { status: 409, answer: { error_code: 409, message: 'rebalancing' } };
    }
    if (request === 'PUT /config') {
      if (this.refusal !== null) return { status: 400, answer: { error_code: 400, message: this.refusal } };
      this.config = { name: 'debezium-clickhouse', ...(JSON.parse(body) as Record<string, string>) };
      return { status: 201, answer: {} };
    }
    if (this.config === null) return { status: 404, answer: { error_code: 404, message: 'not found' } };
    if (request === 'GET /config') return { status: 200, answer: this.config };
    if (request === 'PUT /stop') this.state = 'STOPPED';
    if (request === 'PUT /pause') this.state = 'PAUSED';
    if (request === 'PUT /resume') {
      // As the real one: a task that is made anew runs, and one that had failed before a pause stays as it was.
      if (this.state === 'STOPPED') [this.taskState, this.trace] = ['RUNNING', ''];
      this.state = 'RUNNING';
    }
    if (request.startsWith('POST /restart')) [this.taskState, this.trace] = ['RUNNING', ''];
    if (request === 'DELETE ') this.config = null;
    if (request !== 'GET /status') return { status: 204 };
    const tasks = this.state === 'STOPPED' ? [] : [{ id: 0, state: this.taskState, trace: this.trace }];
    if (this.passingAnswers > 0) {
      this.passingAnswers -= 1;
      return { status: 200, answer: { connector: { state: 'UNASSIGNED' }, tasks: [] } };
    }
    return { status: 200, answer: { connector: { state: this.state }, tasks } };
  }
}

const EMPTY_SOURCE: SourceSql = { query: () => Promise.resolve([]) };

let worker: FakeWorker;
let connectUrl: string;
let lines: string[];
beforeEach(async () => {
  worker = new FakeWorker();
  connectUrl = await worker.start();
  lines = [];
});
afterEach(() => worker.stop());

function options(changes: Partial<ApplyOptions> = {}): ApplyOptions {
  return {
    connectUrl,
    profile: 'json',
    settings: { PG_HOST: 'db', PG_PORT: '5432', PG_USER: 'cdc', PG_PASSWORD: SECRET, PG_DATABASE: 'shop' },
    postgres: EMPTY_SOURCE,
    capture: { kind: 'whole-schema', schema: 'public' },
    log: (line) => lines.push(line),
    ...changes,
  };
}

describe('applying', () => {
  test('registers the connector and waits until its task runs', async () => {
    const status = await applyConnector(options());
    expect(status).toMatchObject({ running: true, state: 'RUNNING' });
    expect(worker.config).toMatchObject({
      'database.hostname': 'db',
      'database.password': SECRET,
      'table.include.list': 'public\\..*',
      'replica.identity.autoset.values': 'public\\..*:FULL',
    });
    expect(lines.join('\n')).not.toContain(SECRET);
  });

  test('sets the replica identity of nobody outside the demo', async () => {
    await applyConnector(options({ capture: { kind: 'tables', include: ['shop.*'], exclude: [] } }));
    expect(worker.config).not.toHaveProperty(['replica.identity.autoset.values']);
  });

  test('leaves a connector alone that runs with the same configuration', async () => {
    await applyConnector(options());
    worker.requests.length = 0;
    await applyConnector(options());
    expect(worker.requests.filter((request) => !request.startsWith('GET'))).toEqual([]);
  });

  test('stops before it configures anew, so that no state of before is taken for the new one', async () => {
    await applyConnector(options());
    worker.requests.length = 0;
    await applyConnector(options({ profile: 'json-schema' }));
    const writes = worker.requests.filter((request) => !request.startsWith('GET'));
    expect(writes).toEqual(['PUT /stop', 'PUT /config', 'PUT /resume']);
    expect(lines.join('\n')).toContain('the form of the records changes');
  });

  test('restarts a task that had failed', async () => {
    await applyConnector(options());
    [worker.taskState, worker.trace] = ['FAILED', TRACE];
    await expect(applyConnector(options())).resolves.toMatchObject({ running: true });
  });

  test('tells why a task failed, without stack frames and without the password', async () => {
    [worker.taskState, worker.trace] = ['FAILED', TRACE];
    const error: unknown = await applyConnector(options()).catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code: 'CONNECTOR_FAILED' });
    const { message } = error as Error;
    expect(message).toContain('task 0: FAILED');
    expect(message).toContain('cannot log in with ***');
    expect(message).toContain('Caused by: org.postgresql.util.PSQLException: FATAL: no such slot');
    expect(message).not.toMatch(/very-secret|Something\.java|more/);
  });

  test('gives up after its deadline on a task that never runs', async () => {
    worker.taskState = 'UNASSIGNED';
    await expect(applyConnector(options({ deadlineMs: 300 }))).rejects.toMatchObject({ code: 'CONNECTOR_FAILED' });
  });

  test('goes on when a refused configuration leaves the old one in place', async () => {
    await applyConnector(options());
    worker.refusal = `Invalid value ${SECRET} for configuration database.password`;
    const error: unknown = await applyConnector(options({ profile: 'json-schema' })).catch((reason: unknown) => reason);
    expect((error as Error).message).toMatch(/refused to take the configuration: Invalid value \*\*\* /);
    expect(worker.state).toBe('RUNNING');
  });

  test('asks a worker again that is rebalancing', async () => {
    worker.busyAnswers = 2;
    await expect(applyConnector(options())).resolves.toMatchObject({ running: true });
  });

  test('asks for nothing when a setting is missing', async () => {
    await expect(applyConnector(options({ settings: {} }))).rejects.toMatchObject({ code: 'CONFIG_INVALID' });
    expect(worker.requests).toEqual([]);
  });

  test('says that Connect does not answer, without what may stand in the address', async () => {
    const url = connectUrl.replace('http://', 'http://user:hidden@');
    await worker.stop();
    const error: unknown = await applyConnector(options({ connectUrl: url })).catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code: 'CONNECT_UNREACHABLE' });
    expect((error as Error).message).not.toContain('hidden');
    worker = new FakeWorker();
    await worker.start();
  });
});

describe('deleting', () => {
  const remove = (): Promise<void> =>
    deleteConnector({ connectUrl, settings: {}, postgres: EMPTY_SOURCE, log: (line) => lines.push(line) });

  test('stops the connector, forgets its position, and removes it, in this order', async () => {
    await applyConnector(options());
    worker.requests.length = 0;
    await remove();
    const writes = worker.requests.filter((request) => !request.startsWith('GET'));
    expect(writes).toEqual(['PUT /stop', 'DELETE /offsets', 'DELETE ']);
  });

  test('is fine when there is nothing', async () => {
    await remove();
    expect(lines).toEqual([
      'connector debezium-clickhouse: there was none',
      'slot debezium_clickhouse: there was none',
      'publication debezium_clickhouse: there was none',
    ]);
  });
});

describe('the status', () => {
  test('of a connector that does not exist is MISSING', async () => {
    const status = await connectorStatus({ connectUrl });
    expect(status).toEqual({ name: 'debezium-clickhouse', state: 'MISSING', tasks: [], running: false });
    expect(renderStatus(status)).toBe('connector debezium-clickhouse: MISSING');
  });

  test('is waited for while the worker shares out its work anew, but not for ever', async () => {
    await applyConnector(options());
    worker.state = 'STOPPED';
    worker.passingAnswers = 2;
    expect(await settledStatus({ connectUrl }, 5_000)).toMatchObject({ state: 'STOPPED' });
    worker.passingAnswers = 1_000;
    expect(await settledStatus({ connectUrl }, 300)).toMatchObject({ state: 'UNASSIGNED' });
  });

  test('shows each task with its error', () => {
    const tasks = [{ id: 0, state: 'FAILED', trace: 'first\nCaused by: second' }];
    expect(renderStatus({ name: 'c', state: 'RUNNING', tasks, running: false })).toBe(
      'connector c: RUNNING\n  task 0: FAILED\n    first\n    Caused by: second',
    );
  });
});

test('a pause leaves a task alone that had failed, and resume starts it again', async () => {
  await applyConnector(options());
  worker.taskState = 'FAILED';
  const at = { connectUrl, name: 'debezium-clickhouse', secrets: [] };
  expect(await pauseConnector(at)).toMatchObject({ state: 'PAUSED', tasks: [{ state: 'FAILED' }] });
  expect(await resumeConnector(at)).toMatchObject({ running: true });
  expect(worker.requests).toContain('POST /restart?includeTasks=true&onlyFailed=true');
}, 15_000);

test('a password in a trace is cut out even when nobody told it', () => {
  expect(traceHead('jdbc:postgresql://h/d?user=u&password=hunter2&x=1', [])).toBe(
    'jdbc:postgresql://h/d?user=u&password=***&x=1',
  );
});
