/** The settings of the HTTP server: the live page, the probes and the metrics. */
import { optional, portOrOff, setting, token, trueOrFalse, word } from './forms';
import { ServiceError } from '../errors';

export const PAGE_SETTINGS = {
  HTTP_HOST: setting(
    'Page',
    'The address on which the live page, /metrics, /healthz and /readyz are served. Other addresses than loopback need PAGE_TOKEN.',
    word,
    { default: '127.0.0.1', example: '0.0.0.0' },
  ),
  HTTP_PORT: setting(
    'Page',
    'Their port. Where it is taken, the service says so and goes on without them.',
    portOrOff,
    { default: '3000', example: '8080' },
  ),
  PAGE_TOKEN: setting(
    'Page',
    'What a browser or a program must show: once as ?token=, or as "Authorization: Bearer". The probes need none.',
    optional(token),
    { default: '', example: 'b7f2c1d0e9a84563', sensitive: 'secret' },
  ),
  PAGE_VALUES: setting(
    'Page',
    'Whether the page shows keys and values of rows; with false the server does not send them.',
    trueOrFalse,
    { default: 'false', example: 'true' },
  ),
} as const;

/** Whether connections to this address can only come from this machine. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127(\.\d{1,3}){3}$/.test(host);
}

export interface PageSettings {
  readonly host: string;
  /** 0: any that is free. */
  readonly port: number;
  /** null only where `host` is loopback. */
  readonly token: string | null;
  readonly values: boolean;
}

/**
 * null where the port is off. Whoever reaches the page reads what it shows, so an address that others reach needs a
 * token: throws CONFIG_INVALID without one.
 */
export function pageOf(values: Omit<PageSettings, 'port'> & { readonly port: number | null }): PageSettings | null {
  const { host, port, token: secret } = values;
  if (port === null) return null;
  if (secret !== null || isLoopback(host)) return { ...values, port };
  throw new ServiceError(
    'CONFIG_INVALID',
    `HTTP_HOST=${host} lets other machines see the live page and /metrics, and PAGE_TOKEN is not set.`,
    { hint: 'Set PAGE_TOKEN to a secret of at least 16 characters, HTTP_HOST=127.0.0.1, or HTTP_PORT=off.' },
  );
}
