/** Tokens for the OAUTHBEARER login: from a file, a command or an endpoint, asked for again before they run out. */
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import { ServiceError } from '../errors';
import { httpCall } from '../http-call';
import type { TokenSource } from '../security';

const run = promisify(execFile);

const PATIENCE_MS = 10_000;
/** A token is renewed when less than a fifth of its life, or less than this, is left. */
const LEAST_LEFT_MS = 10_000;

interface Token {
  readonly text: string;
  /** When to ask again, of `Date.now()`. */
  readonly renewAt: number;
}

/**
 * A function that gives the token that counts now. A file is read each time, so that others can replace it; the rest is
 * kept while it lives. Throws KAFKA_REFUSED_LOGIN, or KAFKA_UNREACHABLE
 * where the endpoint is away; neither holds a token.
 */
export function openTokens(source: TokenSource): () => Promise<string> {
  let kept: Token | null = null;
  return async () => {
    if (source.kind === 'file') return fromFile(source.path);
    if (kept === null || Date.now() >= kept.renewAt) {
      const { text, livesMs } =
        source.kind === 'command' ? await fromCommand(source.command) : await fromEndpoint(source);
      kept = { text, renewAt: renewAt(Date.now(), livesMs ?? lifeOf(text, Date.now())) };
    }
    return kept.text;
  };
}

/** Unknown lives are not trusted: such a token serves one login. */
export function renewAt(now: number, livesMs: number | null): number {
  return livesMs === null ? now : now + Math.max(0, livesMs - Math.max(LEAST_LEFT_MS, livesMs / 5));
}

/** Milliseconds that a JSON Web Token still lives by its `exp`; null for other tokens. */
export function lifeOf(token: string, now: number): number | null {
  try {
    const claims: unknown = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString('utf8'));
    const { exp } = claims as { exp?: unknown };
    return typeof exp === 'number' ? exp * 1_000 - now : null;
  } catch {
    return null;
  }
}

async function fromFile(path: string): Promise<string> {
  const text = await readFile(path, 'utf8').catch(() => '');
  if (text.trim() === '') throw noToken(`the file ${path} is not there or empty`);
  return text.trim();
}

async function fromCommand(command: string): Promise<{ text: string; livesMs: number | null }> {
  // What it prints and why it failed stay out of the error: either could hold the token.
  const { stdout } = await run('/bin/sh', ['-c', command], { timeout: PATIENCE_MS }).catch((cause: unknown) => {
    const { code } = cause as { code?: number | string };
    throw noToken(`the command of KAFKA_OAUTH_TOKEN_COMMAND ended with ${code ?? 'a signal'}`);
  });
  if (stdout.trim() === '') throw noToken('the command of KAFKA_OAUTH_TOKEN_COMMAND printed nothing');
  return { text: stdout.trim(), livesMs: null };
}

async function fromEndpoint({
  endpoint,
  scope,
}: Extract<TokenSource, { kind: 'endpoint' }>): Promise<{ text: string; livesMs: number | null }> {
  const at = new URL(endpoint.url).host;
  const body = new URLSearchParams({ grant_type: 'client_credentials', ...(scope === null ? {} : { scope }) });
  const headers = { 'content-type': 'application/x-www-form-urlencoded', accept: 'application/json' };
  const answer = await httpCall(endpoint, {
    method: 'POST',
    path: '',
    headers,
    body: body.toString(),
    timeoutMs: PATIENCE_MS,
  }).catch((cause: unknown) => {
    throw away(at, `does not answer (${(cause as { code?: string }).code ?? 'no reason given'})`);
  });
  if (answer.status >= 500) throw away(at, `answers ${String(answer.status)}`);
  const { access_token: text, expires_in: seconds } = parsed(answer.text);
  if (answer.status !== 200 || typeof text !== 'string') {
    throw noToken(`the token endpoint at ${at} answered ${String(answer.status)} without a token`);
  }
  return { text, livesMs: typeof seconds === 'number' ? seconds * 1_000 : null };
}

function parsed(text: string): { access_token?: unknown; expires_in?: unknown } {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? value : {};
  } catch {
    return {};
  }
}

/** Passes by itself, unlike a refusal. */
function away(at: string, how: string): ServiceError {
  return new ServiceError('KAFKA_UNREACHABLE', `The token endpoint at ${at} for the login to Kafka ${how}.`, {
    hint: 'Nothing is lost: it is asked again. See that it is up and that KAFKA_OAUTH_TOKEN_URL names it.',
  });
}

function noToken(why: string): ServiceError {
  return new ServiceError('KAFKA_REFUSED_LOGIN', `There is no token to log in to Kafka: ${why}.`, {
    hint: 'Correct KAFKA_OAUTH_TOKEN_FILE, KAFKA_OAUTH_TOKEN_COMMAND or KAFKA_OAUTH_TOKEN_URL with its client id and secret.',
  });
}
