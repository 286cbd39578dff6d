/** What registries answer, over HTTP: Confluent's, Apicurio's, and those that do not answer. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { plainEndpoint } from '../../../src/http-call';
import { openRegistry, type Registry } from '../../../src/registry/client';
import type { HttpEndpoint } from '../../../src/security';

const SCHEMA = JSON.stringify({
  type: 'record',
  name: 'A',
  fields: [{ name: 'id', type: { type: 'int', 'connect.type': 'int16' } }],
});
const OTHER = JSON.stringify('string');
const SECRET = 'not-to-be-shown'; // prettier-ignore

const closing: (() => void)[] = [];
afterEach(() => {
  for (const close of closing.splice(0)) close();
});

type Answers = Readonly<Record<string, readonly [number, string]>>;

/** A registry that has these answers by their path, and 404 for any other. */
async function registry(
  answers: Answers | ((request: IncomingMessage, response: ServerResponse) => void),
  more: Partial<HttpEndpoint> = {},
): Promise<{ client: Registry; asked: string[]; logins: (string | undefined)[] }> {
  const asked: string[] = [];
  const logins: (string | undefined)[] = [];
  const server = createServer((request, response) => {
    asked.push(request.url ?? '');
    logins.push(request.headers.authorization);
    if (typeof answers === 'function') return answers(request, response);
    const [status, text] = answers[request.url ?? ''] ?? [404, '{"error_code":40403,"message":"not found"}'];
    response.writeHead(status, { 'content-type': 'application/json' }).end(text);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  closing.push(() => (server.closeAllConnections(), server.close()));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const { url: path = '', ...login } = more;
  return { client: openRegistry({ ...plainEndpoint(url + path), ...login }, { requestMs: 300 }), asked, logins };
}

const TYPES = [200, '["AVRO"]'] as const;
const found = (schema: string, more: object = {}) => [200, JSON.stringify({ schema, ...more })] as const;

describe('a schema', () => {
  it("is the text that Confluent's registry has, with everything that Connect noted", async () => {
    const { client, asked } = await registry({ '/schemas/types': TYPES, '/schemas/ids/7': found(SCHEMA) });
    expect(await client.schema({ space: 'id', id: 7 })).toBe(SCHEMA);
    expect(asked).toEqual(['/schemas/types', '/schemas/ids/7']);
  });

  it.each(['', '/apis/ccompat/v7'])("is found at Apicurio, whose address ends with '%s'", async (path) => {
    const { client } = await registry(
      { '/': [200, '<html>'], '/apis/ccompat/v7/schemas/types': TYPES, '/apis/ccompat/v7/schemas/ids/7': found(SCHEMA) },
      { url: path },
    );
    expect(await client.schema({ space: 'id', id: 7 })).toBe(SCHEMA);
  }); // prettier-ignore

  it('is null where the registry has none, and is asked for again', async () => {
    const answers: Record<string, readonly [number, string]> = { '/schemas/types': TYPES };
    const { client } = await registry(answers);
    expect(await client.schema({ space: 'id', id: 7 })).toBeNull();
    answers['/schemas/ids/7'] = found(SCHEMA);
    expect(await client.schema({ space: 'id', id: 7 })).toBe(SCHEMA);
  });

  it.each([
    ['of Protobuf', found('syntax = "proto3"; message A {}', { schemaType: 'PROTOBUF' })],
    ['of JSON Schema', found('{"type":"object"}', { schemaType: 'JSON' })],
  ])('%s is no Avro', async (_, answer) => {
    const { client } = await registry({ '/schemas/types': TYPES, '/schemas/ids/7': answer });
    expect(await client.schema({ space: 'id', id: 7 })).toBe('');
  });

  it('that the library refuses is taken all the same: this service reads it itself', async () => {
    const odd = JSON.stringify({ type: 'record', name: 'A-b', fields: [] });
    const { client } = await registry({ '/schemas/types': TYPES, '/schemas/ids/7': found(odd) });
    expect(await client.schema({ space: 'id', id: 7 })).toBe(odd);
  });

  it("is found by each of Apicurio's own numbers", async () => {
    const at = (version: string, kind: string) => `/apis/registry/${version}/ids/${kind}/7`;
    const { client } = await registry({ [at('v2', 'globalIds')]: [200, SCHEMA], [at('v3', 'contentIds')]: [200, OTHER] });
    expect(await client.schema({ space: 'globalId', id: 7 })).toBe(SCHEMA);
    expect(await client.schema({ space: 'contentId', id: 7 })).toBe(OTHER);
    expect(await client.schema({ space: 'contentId', id: 8 })).toBeNull();
  }); // prettier-ignore

  it.each([
    ['by both, if they are the same', SCHEMA, SCHEMA, SCHEMA],
    ['by the one that there is', null, SCHEMA, SCHEMA],
    ['by none, if they differ', SCHEMA, OTHER, ''],
    ['by none, if there is none', null, null, null],
  ])('is found by a number that may be either: %s', async (_, byGlobalId, byContentId, expected) => {
    const answers: Record<string, readonly [number, string]> = {};
    if (byGlobalId !== null) answers['/apis/registry/v2/ids/globalIds/7'] = [200, byGlobalId];
    if (byContentId !== null) answers['/apis/registry/v2/ids/contentIds/7'] = [200, byContentId];
    const { client } = await registry(answers, { url: '/apis/ccompat/v7' });
    expect(await client.schema({ space: 'either', id: 7 })).toBe(expected);
  });
});

describe('a registry', () => {
  it('is told who asks', async () => {
    const { client, logins } = await registry(
      { '/schemas/types': TYPES, '/schemas/ids/7': found(SCHEMA) },
      { user: 'cdc', password: SECRET },
    );
    await client.schema({ space: 'id', id: 7 });
    const login = `Basic ${Buffer.from(`cdc:${SECRET}`).toString('base64')}`;
    expect(logins).toEqual([login, login]);
  });

  it.each([401, 403])('that refuses the login is no reason to wait: status %d', async (status) => {
    const answers = { '/schemas/types': TYPES, '/schemas/ids/7': [status, '{}'], '/schemas/ids/8': [status, '{}'] } as const;
    const { client } = await registry(answers, { user: 'cdc', password: SECRET });
    const refused = client.schema({ space: 'id', id: 7 });
    await expect(refused).rejects.toMatchObject({ code: 'REGISTRY_REFUSED_LOGIN' });
    await expect(refused).rejects.toThrow(expect.not.stringContaining(SECRET) as string);
  }); // prettier-ignore

  it.each<[string, Parameters<typeof registry>[0]]>([
    ['answers nothing', () => undefined],
    ['answers with an error', (_, response) => response.writeHead(503).end('busy')],
    ['is none', { '/': [200, 'hello'] }],
    ['begins to answer nothing', (request, response) => {
      if (request.url === '/schemas/types') response.writeHead(200).end('["AVRO"]');
    }],
  ])('is waited for when it %s', async (_, answers) => {
    const { client } = await registry(answers);
    await expect(client.schema({ space: 'id', id: 7 })).rejects.toMatchObject({ code: 'REGISTRY_UNREACHABLE' });
  }); // prettier-ignore

  it('is waited for when nobody listens, and found again', async () => {
    const gone = openRegistry(plainEndpoint('http://127.0.0.1:1'), { requestMs: 300 });
    await expect(gone.schema({ space: 'id', id: 7 })).rejects.toMatchObject({ code: 'REGISTRY_UNREACHABLE' });
    let calls = 0;
    const { client } = await registry((request, response) => {
      if (++calls === 1) response.writeHead(500).end();
      else response.writeHead(200).end(request.url === '/schemas/types' ? '["AVRO"]' : JSON.stringify({ schema: SCHEMA }));
    });
    await expect(client.schema({ space: 'id', id: 7 })).rejects.toMatchObject({ code: 'REGISTRY_UNREACHABLE' });
    expect(await client.schema({ space: 'id', id: 7 })).toBe(SCHEMA);
  }); // prettier-ignore
});
