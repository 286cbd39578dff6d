/** One HTTP request to a part outside, with its TLS and its login: for Kafka Connect, the registry and token endpoints. */
import { Agent as HttpAgent, request as httpRequest, type RequestOptions } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import { tlsOptions, type HttpEndpoint } from './security';

export interface HttpCall {
  readonly method: string;
  /** Added to the endpoint's URL; '' for the URL itself. */
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  /** Milliseconds until the whole answer must be there. */
  readonly timeoutMs: number;
}

export interface HttpAnswer {
  readonly status: number;
  readonly text: string;
}

/** Sends one request and reads its whole answer, whatever its status. Rejects with Node's own error when there is none. */
export function httpCall(endpoint: HttpEndpoint, call: HttpCall): Promise<HttpAnswer> {
  const { method, path, timeoutMs, body } = call;
  const url = new URL(endpoint.url + path);
  const login =
    endpoint.user === null
      ? {}
      : {
          authorization: `Basic ${Buffer.from(`${endpoint.user}:${endpoint.password}`, 'utf8').toString('base64')}`,
        };
  const options: RequestOptions = {
    method,
    headers: {
      ...(body === undefined ? {} : { 'content-length': String(Buffer.byteLength(body)) }),
      ...login,
      ...call.headers,
    },
    signal: AbortSignal.timeout(timeoutMs),
  };
  return new Promise((resolve, reject) => {
    const sent =
      endpoint.tls === null
        ? httpRequest(url, { ...options, agent: new HttpAgent() })
        : httpsRequest(url, { ...options, agent: new HttpsAgent(tlsOptions(endpoint.tls)) });
    sent.once('error', reject);
    sent.once('response', (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.once('error', reject);
      response.once('end', () => {
        resolve({ status: response.statusCode ?? 0, text: Buffer.concat(chunks).toString('utf8') });
      });
    });
    sent.end(body);
  });
}

/** An endpoint without TLS and login, for tests and tools that have only an address. */
export function plainEndpoint(url: string): HttpEndpoint {
  return { url: url.replace(/\/+$/, ''), user: null, password: '', tls: null };
}
