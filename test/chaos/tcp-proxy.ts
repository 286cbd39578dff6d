/** A TCP proxy on loopback that stalls and cuts connections, loses answers and holds requests back. */
import { createConnection, createServer, type AddressInfo, type Socket } from 'node:net';

/** What a proxy knows of the protocol it carries; it is asked for each piece of bytes. */
export interface Dialect {
  /** For one connection. `request` says whether these bytes from the client begin the kind of request that can be held or lose its answer. */
  open(): {
    request(bytes: Buffer): boolean;
    /** The bytes to hand to the client instead, and whether they belong to an answer of such a request. */
    answer(bytes: Buffer): { readonly bytes: Buffer; readonly ofRequest: boolean };
  };
}

export interface TcpProxy {
  readonly port: number;
  /** Nothing passes in either direction until `resume`; connections stay open. */
  stall(): void;
  resume(): void;
  /** Breaks every connection. */
  cut(): void;
  /** The next `count` answers to requests of the dialect's kind are dropped, and their connection is broken. */
  loseAnswers(count: number): void;
  /** The next request of the dialect's kind is kept here, and goes out when `release` is called, whatever became of its client. */
  holdNext(): HeldRequest;
  /** How many answers were dropped. */
  lostAnswers(): number;
  close(): Promise<void>;
}

export interface HeldRequest {
  /** Resolves when a request is held. */
  readonly held: Promise<void>;
  /** Sends it on; resolves with what the server answered, as text, or '' if it closed without an answer. */
  release(): Promise<string>;
  isHeld(): boolean;
}

interface Hold {
  parts: Buffer[];
  upstream: Socket | null;
  answer: Buffer[];
  readonly arrived: PromiseWithResolvers<undefined>;
  readonly answered: PromiseWithResolvers<string>;
  state: 'waiting' | 'held' | 'released';
}

export async function openTcpProxy(to: { host: string; port: number }, dialect: Dialect): Promise<TcpProxy> {
  const pairs = new Set<{ client: Socket; upstream: Socket }>();
  let stalled = false;
  let toLose = 0;
  let lost = 0;
  let hold: Hold | null = null;

  const server = createServer((client) => {
    const upstream = createConnection(to);
    const pair = { client, upstream };
    const protocol = dialect.open();
    let holding: Hold | null = null;
    let losing = false;
    pairs.add(pair);
    const over = (): void => {
      pairs.delete(pair);
      client.destroy();
      // A held request outlives its client.
      if (holding === null) upstream.destroy();
    };
    client.setNoDelay(true);
    upstream.setNoDelay(true);
    client.on('data', (bytes: Buffer) => {
      const begins = protocol.request(bytes);
      if (begins && hold?.state === 'waiting') {
        holding = hold;
        holding.state = 'held';
        holding.upstream = upstream;
        holding.arrived.resolve(undefined);
      }
      if (begins && toLose > 0) {
        toLose--;
        losing = true;
      }
      if (holding !== null && holding.state === 'held') holding.parts.push(bytes);
      else if (!upstream.write(bytes)) {
        client.pause();
        upstream.once('drain', () => {
          if (!stalled) client.resume();
        });
      }
    });
    upstream.on('data', (bytes: Buffer) => {
      const { bytes: patched, ofRequest } = protocol.answer(bytes);
      holding?.answer.push(bytes);
      if (losing && ofRequest) {
        losing = false;
        lost++;
        over();
        return;
      }
      if (patched.length > 0 && client.writable) client.write(patched);
      if (holding?.state === 'released' && isWhole(holding.answer)) {
        holding.answered.resolve(Buffer.concat(holding.answer).toString('latin1'));
      }
    });
    client.on('error', over);
    client.on('close', over);
    upstream.on('error', over);
    upstream.on('close', () => {
      holding?.answered.resolve(Buffer.concat(holding.answer).toString('latin1'));
      over();
    });
    if (stalled) {
      client.pause();
      upstream.pause();
    }
  });
  await new Promise<void>((resolve) => server.listen({ host: '127.0.0.1', port: 0 }, resolve));

  const each = (action: (socket: Socket) => void): void => {
    for (const { client, upstream } of pairs) {
      action(client);
      action(upstream);
    }
  };
  return {
    port: (server.address() as AddressInfo).port,
    stall() {
      stalled = true;
      each((socket) => socket.pause());
    },
    resume() {
      stalled = false;
      each((socket) => socket.resume());
    },
    cut() {
      for (const { client, upstream } of [...pairs]) {
        client.destroy();
        upstream.destroy();
      }
    },
    loseAnswers(count) {
      toLose = count;
    },
    lostAnswers: () => lost,
    holdNext() {
      const next: Hold = {
        parts: [],
        upstream: null,
        answer: [],
        arrived: Promise.withResolvers<undefined>(),
        answered: Promise.withResolvers<string>(),
        state: 'waiting',
      };
      hold = next;
      return {
        held: next.arrived.promise,
        isHeld: () => next.state === 'held',
        release() {
          if (hold === next) hold = null;
          if (next.state === 'waiting') next.answered.resolve('');
          else if (next.upstream?.writable === true) next.upstream.write(Buffer.concat(next.parts));
          else next.answered.resolve('');
          next.state = 'released';
          return next.answered.promise;
        },
      };
    },
    async close() {
      const closed = new Promise((resolve) => server.close(resolve));
      for (const { client, upstream } of [...pairs]) {
        client.destroy();
        upstream.destroy();
      }
      hold?.upstream?.destroy();
      await closed;
    },
  };
}

/** The end of an HTTP answer: an empty last chunk, or nothing but the head. */
function isWhole(parts: readonly Buffer[]): boolean {
  const text = Buffer.concat(parts).toString('latin1');
  return text.endsWith('0\r\n\r\n') || /content-length: 0\r\n/i.test(text);
}

/** ClickHouse over HTTP: the requests are inserts, known by the statement in the URL. */
export const CLICKHOUSE_INSERTS: Dialect = {
  open() {
    let insert = false;
    return {
      request(bytes) {
        const head = bytes.subarray(0, 300).toString('latin1');
        if (!/^(POST|GET) \//.test(head)) return false;
        insert = /[?&]query=INSERT/.test(bytes.subarray(0, 16_384).toString('latin1'));
        return insert;
      },
      answer: (bytes) => ({ bytes, ofRequest: insert }),
    };
  },
};

const OFFSET_COMMIT = 8;
/** Of the answers only those of metadata and coordinators hold addresses, and they are short. */
const LONGEST_PATCHED = 65_536;

/**
 * Kafka: the requests are offset commits. The broker tells clients its own address, so that they would go past the proxy:
 * in answers its port is replaced by `proxyPort()`.
 */
export function kafkaCommits(broker: { host: string; port: number }, proxyPort: () => number): Dialect {
  const host = Buffer.from(broker.host);
  const port = Buffer.alloc(4);
  port.writeInt32BE(broker.port);
  const address = Buffer.concat([host, port]);
  return {
    open() {
      let sent = Buffer.alloc(0);
      let received = Buffer.alloc(0);
      const commits = new Set<number>();
      return {
        request(bytes) {
          let found = false;
          sent = Buffer.concat([sent, bytes]);
          while (sent.length >= 12 && sent.length >= 4 + sent.readInt32BE(0)) {
            if (sent.readInt16BE(4) === OFFSET_COMMIT) {
              commits.add(sent.readInt32BE(8));
              found = true;
            }
            sent = sent.subarray(4 + sent.readInt32BE(0));
          }
          return found;
        },
        answer(bytes) {
          received = Buffer.concat([received, bytes]);
          const whole: Buffer[] = [];
          let ofRequest = false;
          while (received.length >= 8 && received.length >= 4 + received.readInt32BE(0)) {
            const frame = received.subarray(0, 4 + received.readInt32BE(0));
            received = received.subarray(frame.length);
            if (commits.delete(frame.readInt32BE(4))) ofRequest = true;
            whole.push(frame.length <= LONGEST_PATCHED ? withPort(frame, address, proxyPort()) : frame);
          }
          return { bytes: Buffer.concat(whole), ofRequest };
        },
      };
    },
  };
}

function withPort(frame: Buffer, address: Buffer, port: number): Buffer {
  const patched = Buffer.from(frame);
  for (let at = patched.indexOf(address); at >= 0; at = patched.indexOf(address, at + address.length)) {
    patched.writeInt32BE(port, at + address.length - 4);
  }
  return patched;
}

/** Proxies in front of the ClickHouse and the Kafka that these settings name, and the settings that lead through them. */
export interface ProxiedSettings {
  readonly clickhouse: TcpProxy;
  readonly kafka: TcpProxy;
  readonly settings: { readonly CH_URL: string; readonly KAFKA_BROKERS: string };
  close(): Promise<void>;
}

/** The broker must be one. Ports of parts stay the same when they are restarted. */
export async function proxied(env: {
  readonly CH_URL: string;
  readonly KAFKA_BROKERS: string;
}): Promise<ProxiedSettings> {
  const url = new URL(env.CH_URL);
  const clickhouse = await openTcpProxy({ host: url.hostname, port: Number(url.port) }, CLICKHOUSE_INSERTS);
  const [host = '127.0.0.1', port = '9092'] = env.KAFKA_BROKERS.split(':');
  const broker = { host, port: Number(port) };
  let kafkaPort = 0;
  const kafka = await openTcpProxy(
    broker,
    kafkaCommits(broker, () => kafkaPort),
  );
  kafkaPort = kafka.port;
  url.port = String(clickhouse.port);
  return {
    clickhouse,
    kafka,
    settings: { CH_URL: url.href, KAFKA_BROKERS: `127.0.0.1:${kafkaPort}` },
    async close() {
      await Promise.all([clickhouse.close(), kafka.close()]);
    },
  };
}
