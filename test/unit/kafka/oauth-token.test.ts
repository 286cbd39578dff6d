import { createServer, type Server } from 'node:http';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { lifeOf, openTokens, renewAt } from '../../../src/kafka/oauth-token';
import type { TokenSource } from '../../../src/security';

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'token-'));
});
afterEach(() => rmSync(dir, { recursive: true }));

test("a token's file is read for each login", async () => {
  const path = join(dir, 'token');
  const token = openTokens({ kind: 'file', path });
  await expect(token()).rejects.toMatchObject({ code: 'KAFKA_REFUSED_LOGIN' });
  writeFileSync(path, 'one\n');
  await expect(token()).resolves.toBe('one');
  writeFileSync(path, 'two\n');
  await expect(token()).resolves.toBe('two');
});

test('a command is asked again for a token whose life is unknown, and its output is in no error', async () => {
  const token = openTokens({ kind: 'command', command: `printf x >> ${dir}/runs; cat ${dir}/runs` });
  await expect(token()).resolves.toBe('x');
  await expect(token()).resolves.toBe('xx');
  const failing = openTokens({ kind: 'command', command: 'echo s3cret; echo s3cret >&2; exit 3' });
  const error: unknown = await failing().catch((reason: unknown) => reason);
  expect(error).toMatchObject({ code: 'KAFKA_REFUSED_LOGIN' });
  expect((error as Error).message).toContain('ended with 3');
  expect(JSON.stringify(error)).not.toContain('s3cret');
});

describe('the token endpoint', () => {
  let server: Server;
  let requests: { authorization: string | undefined; body: string }[];
  let answer: { status: number; body: unknown };
  let source: TokenSource;
  beforeEach(async () => {
    requests = [];
    answer = { status: 200, body: { access_token: 'first', expires_in: 3600 } };
    server = createServer((request, response) => {
      let body = '';
      request.on('data', (chunk: Buffer) => (body += chunk.toString()));
      request.on('end', () => {
        requests.push({ authorization: request.headers.authorization, body });
        response.writeHead(answer.status).end(JSON.stringify(answer.body));
      });
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/token`;
    source = { kind: 'endpoint', endpoint: { url, user: 'id', password: 's:ü', tls: null }, scope: 'a b' };
  });
  afterEach(() => server.close());

  test('is asked once with client credentials while the token lives', async () => {
    const token = openTokens(source);
    expect([await token(), await token()]).toEqual(['first', 'first']);
    const authorization = `Basic ${Buffer.from('id:s:ü').toString('base64')}`;
    expect(requests).toEqual([{ authorization, body: 'grant_type=client_credentials&scope=a+b' }]);
  });

  test('is waited for when it is away or failing, and refused when it says no', async () => {
    answer = { status: 503, body: {} };
    await expect(openTokens(source)()).rejects.toMatchObject({ code: 'KAFKA_UNREACHABLE' });
    answer = { status: 401, body: { error: 's:ü' } };
    const refused: unknown = await openTokens(source)().catch((reason: unknown) => reason);
    expect(refused).toMatchObject({ code: 'KAFKA_REFUSED_LOGIN' });
    expect((refused as Error).message).not.toContain('s:ü');
    server.close();
    server.closeAllConnections();
    await once(server, 'close');
    await expect(openTokens(source)()).rejects.toMatchObject({ code: 'KAFKA_UNREACHABLE' });
  });
});

test('a token is renewed before it runs out, at the latest ten seconds before', () => {
  expect(renewAt(1_000, 3_600_000)).toBe(1_000 + 2_880_000);
  expect(renewAt(1_000, 20_000)).toBe(11_000);
  expect(renewAt(1_000, 5_000)).toBe(1_000);
  expect(renewAt(1_000, null)).toBe(1_000);
});

test('the life of a JSON Web Token is read from it, and that of another token is unknown', () => {
  const jwt = `h.${Buffer.from(JSON.stringify({ exp: 100 })).toString('base64url')}.s`;
  expect(lifeOf(jwt, 40_000)).toBe(60_000);
  expect(lifeOf('opaque', 0)).toBeNull();
});
