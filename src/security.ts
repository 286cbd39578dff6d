/** What a connection needs to be private and to be let in: TLS, a login, and how Node's TLS is told of them. */
import { checkServerIdentity, type ConnectionOptions, type PeerCertificate } from 'node:tls';

/**
 * `full`: the certificate is signed by an authority we know and names the host. `authority`: signed, whatever it names.
 * `none`: encrypted only; whoever stands between can read and change everything.
 */
export type Verification = 'full' | 'authority' | 'none';

/** TLS of one connection. Texts are PEM, read when the settings are; null: Node's authorities, no certificate of ours. */
export interface Tls {
  readonly verify: Verification;
  readonly ca: string | null;
  readonly cert: string | null;
  readonly key: string | null;
  readonly keyPassword: string;
}

/** A part that speaks HTTP. */
export interface HttpEndpoint {
  /** Without user and password, without a slash at its end. */
  readonly url: string;
  /** null: no login is sent. */
  readonly user: string | null;
  readonly password: string;
  /** null where the URL begins with http: */
  readonly tls: Tls | null;
}

/** Where an OAUTHBEARER token comes from; asked again before the last one runs out. */
export type TokenSource =
  | { readonly kind: 'file'; readonly path: string }
  | { readonly kind: 'command'; readonly command: string }
  | {
      readonly kind: 'endpoint';
      /** Client id as user, client secret as password. */
      readonly endpoint: HttpEndpoint;
      readonly scope: string | null;
    };

export type KafkaLogin =
  | {
      readonly mechanism: 'plain' | 'scram-sha-256' | 'scram-sha-512';
      readonly user: string;
      readonly password: string;
    }
  | { readonly mechanism: 'oauthbearer'; readonly token: TokenSource };

/** Options for `node:tls`. `host` is the name that the certificate must carry, where the client does not tell Node itself. */
export function tlsOptions(tls: Tls, host?: string): ConnectionOptions {
  return {
    rejectUnauthorized: tls.verify !== 'none',
    ...(tls.ca === null ? {} : { ca: tls.ca }),
    ...(tls.cert === null ? {} : { cert: tls.cert }),
    ...(tls.key === null ? {} : { key: tls.key }),
    ...(tls.keyPassword === '' ? {} : { passphrase: tls.keyPassword }),
    ...identityCheck(tls, host),
  };
}

function identityCheck(tls: Tls, host: string | undefined): ConnectionOptions {
  if (tls.verify === 'authority') return { checkServerIdentity: () => undefined };
  if (tls.verify === 'none' || host === undefined) return {};
  return { checkServerIdentity: (_: string, cert: PeerCertificate) => checkServerIdentity(host, cert) };
}
