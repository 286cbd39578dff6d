/** Reads the settings of TLS and logins into what the edges take; the certificates' files are read here. */
import { resolve } from 'node:path';
import type { Setting } from './forms';
import { SETTING_NAMES, SETTINGS, type SettingName, type SettingValues } from './settings';
import { readIfThere } from './sources';
import { ServiceError } from '../errors';
import type { HttpEndpoint, KafkaLogin, Tls, TokenSource, Verification } from '../security';

type Prefix = 'KAFKA' | 'CH' | 'PG' | 'CONNECT' | 'REGISTRY';
type SslMode = NonNullable<SettingValues['PG_SSLMODE']>;

/** The TLS of one part, or null where it is not used. */
export interface TlsReader {
  readonly of: (prefix: Prefix, verify: Verification) => Tls;
}

export function tlsReader(v: SettingValues, cwd: string): TlsReader {
  const file = (name: SettingName): string | null => {
    const path = v[name] as string | null;
    return path === null ? null : pemFile(resolve(cwd, path), name);
  };
  return {
    of(prefix, verify) {
      const cert = file(`${prefix}_TLS_CERT_FILE`);
      const key = file(`${prefix}_TLS_KEY_FILE`);
      if ((cert === null) !== (key === null)) throw needsBoth(prefix);
      return {
        verify,
        ca: file(`${prefix}_TLS_CA_FILE`),
        cert,
        key,
        keyPassword: v[`${prefix}_TLS_KEY_PASSWORD`] ?? '',
      };
    },
  };
}

/** TLS where the URL asks for it. */
export function httpTls(url: URL, prefix: 'CH' | 'CONNECT' | 'REGISTRY', v: SettingValues, tls: TlsReader): Tls | null {
  const used = url.protocol === 'https:' ? tls.of(prefix, v[`${prefix}_TLS_VERIFY`] ? 'full' : 'none') : null;
  if (prefix === 'CH' && v.CH_LOGIN_BY_CERTIFICATE && (used?.cert ?? null) === null) {
    throw invalid(
      'CH_LOGIN_BY_CERTIFICATE=on needs a CH_URL that begins with https: and CH_TLS_CERT_FILE.',
      'Set both, or CH_LOGIN_BY_CERTIFICATE=off.',
    );
  }
  return used;
}

export function endpointOf(prefix: 'CONNECT' | 'REGISTRY', v: SettingValues, tls: TlsReader): HttpEndpoint | null {
  const url = v[`${prefix}_URL`];
  if (url === null) return null;
  const login = { user: v[`${prefix}_USER`], password: v[`${prefix}_PASSWORD`] };
  return endpoint(url, login, httpTls(url, prefix, v, tls));
}

function endpoint(url: URL, login: { user: string | null; password: string | null }, tls: Tls | null): HttpEndpoint {
  const bare = new URL(url.href);
  bare.username = bare.password = '';
  const user = login.user ?? (url.username === '' ? null : decodeURIComponent(url.username));
  return {
    url: bare.href.replace(/\/+$/, ''),
    user,
    password: login.password ?? decodeURIComponent(url.password),
    tls,
  };
}

export function kafkaSecurity(
  v: SettingValues,
  { tls, cwd }: { tls: TlsReader; cwd: string },
): { tls: Tls | null; sasl: KafkaLogin | null } {
  const transport = v.KAFKA_TLS ? tls.of('KAFKA', v.KAFKA_TLS_VERIFY ? 'full' : 'none') : null;
  const mechanism = v.KAFKA_SASL_MECHANISM;
  if (mechanism === null) return { tls: transport, sasl: null };
  if (mechanism === 'oauthbearer') {
    return { tls: transport, sasl: { mechanism, token: tokenSource(v, { trust: transport, cwd }) } };
  }
  const { KAFKA_SASL_USER: user, KAFKA_SASL_PASSWORD: password } = v;
  if (user === null || password === null) {
    throw invalid(
      `KAFKA_SASL_MECHANISM=${mechanism.toUpperCase()} needs KAFKA_SASL_USER and KAFKA_SASL_PASSWORD (or KAFKA_SASL_PASSWORD_FILE).`,
      'Set both, or leave KAFKA_SASL_MECHANISM out.',
    );
  }
  return { tls: transport, sasl: { mechanism, user, password } };
}

/** The brokers' authorities are tried for the token endpoint too: both mostly belong to the same house. */
function tokenSource(v: SettingValues, { trust, cwd }: { trust: Tls | null; cwd: string }): TokenSource {
  const { KAFKA_OAUTH_TOKEN_FILE: path, KAFKA_OAUTH_TOKEN_COMMAND: command, KAFKA_OAUTH_TOKEN_URL: url } = v;
  if ([path, command, url].filter((one) => one !== null).length !== 1) {
    throw invalid(
      'KAFKA_SASL_MECHANISM=OAUTHBEARER needs one of KAFKA_OAUTH_TOKEN_FILE, KAFKA_OAUTH_TOKEN_COMMAND and KAFKA_OAUTH_TOKEN_URL.',
      'Set exactly one of the three.',
    );
  }
  if (path !== null) return { kind: 'file', path: resolve(cwd, path) };
  if (command !== null) return { kind: 'command', command };
  const login = { user: v.KAFKA_OAUTH_CLIENT_ID, password: v.KAFKA_OAUTH_CLIENT_SECRET };
  const at = url ?? new URL('http://localhost');
  const own = trust === null ? null : { ...trust, cert: null, key: null, keyPassword: '' };
  const tls = at.protocol === 'https:' ? (own ?? NODES_AUTHORITIES) : null;
  return { kind: 'endpoint', endpoint: endpoint(at, login, tls), scope: v.KAFKA_OAUTH_SCOPE };
}

const NODES_AUTHORITIES: Tls = { verify: 'full', ca: null, cert: null, key: null, keyPassword: '' };

const VERIFICATIONS: Readonly<Record<Exclude<SslMode, 'disable'>, Verification>> = {
  require: 'none',
  'verify-ca': 'authority',
  'verify-full': 'full',
};

/**
 * PostgreSQL's TLS from PG_SSLMODE, else from the URL's `sslmode`, of which `prefer` and `allow` count as require: a
 * connection that is sometimes open cannot be relied on. Takes the URL's ssl parameters out of it.
 */
export function postgresTls(url: URL, v: SettingValues, tls: TlsReader): { mode: SslMode; tls: Tls | null } {
  const written = url.searchParams.get('sslmode') ?? (url.searchParams.has('ssl') ? 'require' : 'disable');
  const file = ['sslrootcert', 'sslcert', 'sslkey'].find((name) => url.searchParams.has(name));
  if (file !== undefined) {
    throw invalid(
      `PG_URL names a file as ${file}=, which is read from a setting of its own.`,
      'Use PG_TLS_CA_FILE, PG_TLS_CERT_FILE and PG_TLS_KEY_FILE instead.',
    );
  }
  for (const name of ['sslmode', 'ssl']) url.searchParams.delete(name);
  const mode = v.PG_SSLMODE ?? modeOfUrl(written);
  return { mode, tls: mode === 'disable' ? null : tls.of('PG', VERIFICATIONS[mode]) };
}

function modeOfUrl(written: string): SslMode {
  if (written === 'prefer' || written === 'allow') return 'require';
  const known = ([...Object.keys(VERIFICATIONS), 'disable'] as SslMode[]).find((mode) => mode === written);
  if (known !== undefined) return known;
  throw invalid('The sslmode of PG_URL is none that is known.', 'Use disable, require, verify-ca or verify-full.');
}

/** What is open to others by these settings; to be said loudly wherever they are used. */
export function securityWarnings(v: SettingValues, used: Readonly<Record<Prefix, Tls | null>>): string[] {
  const warnings = (Object.keys(used) as Prefix[])
    .filter((prefix) => used[prefix]?.verify === 'none')
    .map((prefix) => {
      const by = prefix === 'PG' ? 'PG_SSLMODE=require' : `${prefix}_TLS_VERIFY=off`;
      return `${by}: the server's certificate is not checked. Whoever stands between can read and change everything, passwords included.`;
    });
  if (v.KAFKA_SASL_MECHANISM === 'plain' && !v.KAFKA_TLS) {
    warnings.push('KAFKA_SASL_MECHANISM=PLAIN without KAFKA_TLS=on: the password crosses the network as plain text.');
  }
  return warnings;
}

function pemFile(path: string, name: SettingName): string {
  const text = readIfThere(path);
  if (text?.includes('-----BEGIN') === true) return text;
  const what = text === null ? 'is not there' : 'holds no PEM (no line that begins with -----BEGIN)';
  throw new ServiceError('CONFIG_FILE_UNREADABLE', `The file ${path}, named by ${name}, ${what}.`, {
    hint: 'From a Java keystore: keytool -importkeystore … -deststoretype PKCS12, then openssl pkcs12 -in … -out ….pem',
  });
}

function needsBoth(prefix: Prefix): ServiceError {
  return invalid(
    `${prefix}_TLS_CERT_FILE and ${prefix}_TLS_KEY_FILE belong together, and one of them is missing.`,
    'Set both, or neither.',
  );
}

function invalid(message: string, hint: string): ServiceError {
  return new ServiceError('CONFIG_INVALID', message, { hint });
}

/** Every secret of the settings, as it is and as it stands in a URL. */
export function secretsIn(
  v: SettingValues,
  logins: readonly ({ readonly password: string } | null)[],
): readonly string[] {
  const passwords = [
    ...SETTING_NAMES.filter((name) => (SETTINGS[name] as Setting<unknown>).sensitive === 'secret').map(
      (name) => v[name],
    ),
    ...logins.map((login) => login?.password),
    v.KAFKA_OAUTH_TOKEN_URL?.password,
  ].filter((one): one is string => typeof one === 'string' && one !== '');
  return [...new Set(passwords.flatMap((one) => [one, encodeURIComponent(one)]))];
}
