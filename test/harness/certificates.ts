/** Certificates for tests, made by openssl: an authority, a server on loopback, a client, and a stranger's authority. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { runToEnd } from '../../stack/run-to-end';

export interface Certificates {
  /** Path of `<name>.pem` or `<name>.key`, or of `server.both.pem`, which holds both. */
  file(name: string): string;
  text(name: string): string;
}

/** `ca`, `server`, `client` and `other-ca`, good for two days. The server's names localhost and 127.0.0.1. */
export async function makeCertificates(dir: string): Promise<Certificates> {
  mkdirSync(dir, { recursive: true });
  const file = (name: string): string => join(dir, name);
  const text = (name: string): string => readFileSync(file(name), 'utf8');
  const make = async (name: string, signer: string | null): Promise<void> => {
    const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', file(`${name}.key`)];
    const by = signer === null ? [] : ['-CA', file(`${signer}.pem`), '-CAkey', file(`${signer}.key`)];
    const names = name === 'server' ? ['-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1'] : [];
    const args = [
      'req',
      '-x509',
      ...key,
      '-out',
      file(`${name}.pem`),
      '-days',
      '2',
      '-subj',
      `/CN=${name}`,
      ...by,
      ...names,
    ];
    const { code, output } = await runToEnd({ file: 'openssl', args });
    if (code !== 0) throw new Error(`openssl failed:\n${output}`);
  };
  await make('ca', null);
  await make('other-ca', null);
  await make('server', 'ca');
  await make('client', 'ca');
  writeFileSync(file('server.both.pem'), text('server.key') + text('server.pem') + text('ca.pem'));
  return { file, text };
}
