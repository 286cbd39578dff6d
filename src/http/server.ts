/** The HTTP server of the service: a table of routes, the same headers and the same question for the token before each. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { decideAccess, decideOrder } from './access';

export interface Answer {
  readonly status: number;
  readonly type: string;
  readonly body: string | Uint8Array;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface Asked {
  readonly url: URL;
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
}

/** One address that is answered to GET and HEAD, an order to POST. A page of its own is a few of these beside the others (`routes.ts`). */
export interface Route {
  readonly path: string;
  /**
   * `open`: for probes, which have no token; nothing but states there. `order`: something is done, so the token comes in
   * a header, which no other site can have a browser send.
   */
  readonly access: 'open' | 'token' | 'order';
  /** The answer; null when it went into the response already. Throwing is answered with 500. */
  readonly answer: (asked: Asked) => Answer | null | Promise<Answer | null>;
}

export interface ServerOptions {
  readonly host: string;
  /** 0: any that is free. */
  readonly port: number;
  readonly token: string | null;
  readonly routes: readonly Route[];
}

export interface PageServer {
  /** `http://127.0.0.1:3000`, with the port that was taken. */
  readonly address: string;
  /** Ends open connections too. */
  close(): Promise<void>;
}

/** Nothing inline, nothing from elsewhere, in nobody's frame. */
export const SECURITY_HEADERS: Readonly<Record<string, string>> = {
  'Content-Security-Policy':
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; font-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  'X-Content-Type-Options': 'nosniff',
  'X-Frame-Options': 'DENY',
  'Referrer-Policy': 'no-referrer',
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Resource-Policy': 'same-origin',
  'Permissions-Policy': 'camera=(), microphone=(), geolocation=()',
};

/** Begins to answer. Rejects when the port cannot be taken. */
export async function startServer({ host, port, token, routes }: ServerOptions): Promise<PageServer> {
  const table = new Map(routes.map((route) => [route.path, route]));
  const server = createServer({ requestTimeout: 10_000, headersTimeout: 10_000, keepAliveTimeout: 5_000 });
  server.maxConnections = 2_000;
  server.on('request', (request, response) => {
    void answerRequest({ request, response, table, token });
  });
  server.on('clientError', (_error, socket) => socket.destroy());
  await listen(server, host, port);
  server.on('error', () => undefined);
  const { port: taken } = server.address() as AddressInfo;
  return {
    address: `http://${host.includes(':') ? `[${host}]` : host}:${taken}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function listen(server: Server, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen({ host, port }, () => {
      server.off('error', reject);
      resolve();
    });
  });
}

interface Request {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly table: ReadonlyMap<string, Route>;
  readonly token: string | null;
}

async function answerRequest({ request, response, table, token }: Request): Promise<void> {
  response.on('error', () => undefined);
  try {
    const answer = await answerOf({ request, response, table, token });
    if (answer !== null) send(request, response, answer);
  } catch {
    // What went wrong may quote what was asked for.
    if (!response.headersSent) send(request, response, problem(500, 'INTERNAL', 'The page could not answer.'));
    else response.destroy();
  }
}

async function answerOf({ request, response, table, token }: Request): Promise<Answer | null> {
  const url = URL.parse(request.url ?? '/', 'http://page');
  if (url === null) return problem(400, 'BAD_REQUEST', 'The address cannot be read.');
  const route = table.get(url.pathname);
  if (route?.access === 'order') return answerOrder({ url, request, response }, route, token);
  if (route?.access !== 'open') {
    const access = decideAccess(request, token);
    if (access.kind === 'refused') return problem(access.status, 'REFUSED', access.message);
    if (access.kind === 'cookie') {
      const headers = { Location: access.location, 'Set-Cookie': access.cookie };
      return { status: 303, type: 'text/plain; charset=utf-8', body: '', headers };
    }
  }
  if (route === undefined) return problem(404, 'NOT_FOUND', 'There is nothing here.');
  if (request.method !== 'GET' && request.method !== 'HEAD')
    return { ...problem(405, 'METHOD_NOT_ALLOWED', 'Only GET is answered here.'), headers: { Allow: 'GET, HEAD' } };
  return route.answer({ url, request, response });
}

async function answerOrder(asked: Asked, route: Route, token: string | null): Promise<Answer | null> {
  if (asked.request.method !== 'POST')
    return { ...problem(405, 'METHOD_NOT_ALLOWED', 'Only POST is answered here.'), headers: { Allow: 'POST' } };
  const access = decideOrder(asked.request, token);
  if (access.kind === 'refused') return problem(access.status, 'REFUSED', access.message);
  return route.answer(asked);
}

function send(request: IncomingMessage, response: ServerResponse, { status, type, body, headers = {} }: Answer): void {
  response.writeHead(status, {
    'Cache-Control': 'no-store',
    ...SECURITY_HEADERS,
    'Content-Type': type,
    'Content-Length': Buffer.byteLength(body),
    ...headers,
  });
  response.end(request.method === 'HEAD' ? undefined : body);
}

/** An error as the page's own script reads it. */
export function problem(status: number, code: string, message: string): Answer {
  return json(status, JSON.stringify({ error: { code, message } }));
}

export function json(status: number, body: string | Uint8Array): Answer {
  return { status, type: 'application/json; charset=utf-8', body };
}
