import { createServer, type AddressInfo, type Server } from 'node:net';
import { createConnection, type Socket } from 'node:net';
import { once } from 'node:events';
import { kafkaCommits, openTcpProxy, type Dialect, type TcpProxy } from '../../chaos/tcp-proxy';

/** Every piece that begins with "Q" is a request that can be held. */
const QUESTIONS: Dialect = {
  open: () => ({
    request: (bytes) => bytes.toString().startsWith('Q'),
    answer: (bytes) => ({ bytes, ofRequest: true }),
  }),
};

describe('the proxy', () => {
  let server: Server;
  let proxy: TcpProxy;
  let client: Socket;
  let heard: string[] = [];
  let answers = '';

  const until = async (condition: () => boolean): Promise<void> => {
    while (!condition()) await new Promise((resolve) => setTimeout(resolve, 5));
  };

  beforeEach(async () => {
    heard = [];
    answers = '';
    server = createServer((socket) => {
      socket.on('error', () => undefined);
      socket.on('data', (bytes) => {
        heard.push(bytes.toString());
        socket.end(`HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n`);
      });
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    proxy = await openTcpProxy({ host: '127.0.0.1', port: (server.address() as AddressInfo).port }, QUESTIONS);
    client = createConnection({ host: '127.0.0.1', port: proxy.port });
    client.on('error', () => undefined);
    client.on('data', (bytes) => (answers += bytes.toString()));
    await once(client, 'connect');
  });
  afterEach(async () => {
    client.destroy();
    await proxy.close();
    server.close();
  });

  it('hands on what comes from both sides', async () => {
    client.write('hello');
    await until(() => answers !== '');
    expect(heard).toEqual(['hello']);
  });

  it('lets nothing pass while it is stalled, and all of it afterwards', async () => {
    proxy.stall();
    client.write('hello');
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(heard).toEqual([]);
    proxy.resume();
    await until(() => answers !== '');
    expect(heard).toEqual(['hello']);
  });

  it('drops the answer to a request that was done, and breaks the connection', async () => {
    proxy.loseAnswers(1);
    client.write('Q');
    await once(client, 'close');
    expect(heard).toEqual(['Q']);
    expect(answers).toBe('');
    expect(proxy.lostAnswers()).toBe(1);
  });

  it('delivers a held request after its client is gone, and tells the answer', async () => {
    const held = proxy.holdNext();
    client.write('Q');
    await held.held;
    client.destroy();
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(heard).toEqual([]);
    expect(await held.release()).toContain('200 OK');
    expect(heard).toEqual(['Q']);
  });
});

describe('the dialect of Kafka', () => {
  it('gives clients the port of the proxy instead of the broker, in answers that come in pieces', () => {
    const dialect = kafkaCommits({ host: '127.0.0.1', port: 9_092 }, () => 40_000).open();
    const body = Buffer.concat([
      Buffer.from([0, 0, 0, 7, 0, 9]),
      Buffer.from('127.0.0.1'),
      Buffer.from([0, 0, 0x23, 0x84]),
    ]);
    const size = Buffer.alloc(4);
    size.writeInt32BE(body.length);
    const frame = Buffer.concat([size, body]);
    expect(dialect.answer(frame.subarray(0, 9)).bytes).toHaveLength(0);
    const { bytes, ofRequest } = dialect.answer(frame.subarray(9));
    expect(bytes.readInt32BE(bytes.length - 4)).toBe(40_000);
    expect(ofRequest).toBe(false);
  });

  it('knows offset commits by their request, and their answers by the number they carry', () => {
    const dialect = kafkaCommits({ host: '127.0.0.1', port: 9_092 }, () => 40_000).open();
    const request = Buffer.from([0, 0, 0, 8, 0, 8, 0, 2, 0, 0, 0, 42]);
    expect(dialect.request(request)).toBe(true);
    expect(dialect.answer(Buffer.from([0, 0, 0, 4, 0, 0, 0, 41])).ofRequest).toBe(false);
    expect(dialect.answer(Buffer.from([0, 0, 0, 4, 0, 0, 0, 42])).ofRequest).toBe(true);
  });
});
