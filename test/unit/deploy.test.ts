/** What is in deploy/ and in the Dockerfile agrees with the settings, the exit codes and the deadlines that exist. */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseAllDocuments } from 'yaml';
import { exitCodeOf } from '../../src/cli/failure';
import { loadConfig } from '../../src/config';
import { isSettingName, settingOfSecretFile, SETTINGS } from '../../src/config/settings';
import { ERROR_CODES, ServiceError, type ErrorCode } from '../../src/errors';

const read = (path: string): string => readFileSync(path, 'utf8');
const isSetting = (name: string): boolean => isSettingName(name) || settingOfSecretFile(name) !== null;
const DEADLINE = Number(SETTINGS.SHUTDOWN_DEADLINE_SECONDS.default);

interface Manifest {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string };
  readonly [field: string]: unknown;
}
interface Container {
  readonly args: readonly string[];
  readonly env: readonly { readonly name: string; readonly value?: string }[];
  readonly envFrom: readonly { readonly configMapRef: { readonly name: string } }[];
  readonly ports: readonly { readonly name: string; readonly containerPort: number }[];
  readonly volumeMounts: readonly { readonly name: string; readonly mountPath: string }[];
  readonly securityContext: object;
  readonly resources: { readonly limits: { readonly memory: string }; readonly requests: { readonly memory: string } };
  readonly startupProbe: Probe;
  readonly livenessProbe: Probe;
  readonly readinessProbe: Probe;
}
interface Probe {
  readonly httpGet: { readonly path: string; readonly port: string };
}
interface PodSpec {
  readonly containers: readonly [Container];
  readonly terminationGracePeriodSeconds: number;
  readonly securityContext: object;
  readonly volumes: readonly { readonly name: string; readonly secret: { readonly secretName: string } }[];
}

describe('deploy/kubernetes.yaml', () => {
  const documents = parseAllDocuments(read('deploy/kubernetes.yaml'), { uniqueKeys: true });
  const manifests = documents.map((document) => document.toJS() as Manifest);
  const of = (kind: string): Manifest => manifests.find((one) => one.kind === kind)!;
  const deployment = of('Deployment')['spec'] as {
    readonly replicas: number;
    readonly selector: { readonly matchLabels: object };
    readonly template: { readonly metadata: { readonly labels: object }; readonly spec: PodSpec };
  };
  const pod = deployment.template.spec;
  const [container] = pod.containers;
  const settings = of('ConfigMap')['data'] as Record<string, string>;
  const secrets = of('Secret')['stringData'] as Record<string, string>;

  test('is well-formed, and its parts name each other', () => {
    expect(documents.flatMap(({ errors, warnings }) => [...errors, ...warnings])).toEqual([]);
    expect(manifests.map(({ kind }) => kind)).toEqual([
      'ConfigMap',
      'Secret',
      'Deployment',
      'PodDisruptionBudget',
      'Service',
    ]);
    expect(new Set(manifests.map(({ metadata }) => metadata.name))).toEqual(new Set(['debezium-clickhouse']));
    expect(deployment.template.metadata.labels).toEqual(deployment.selector.matchLabels);
    expect((of('Service')['spec'] as { selector: object }).selector).toEqual(deployment.selector.matchLabels);
    expect(container.volumeMounts.map(({ name }) => name)).toEqual(pod.volumes.map(({ name }) => name));
  });

  test('sets only settings that exist, and together they are valid', () => {
    const direct = Object.fromEntries(container.env.map(({ name, value }) => [name, value ?? 'pod-1']));
    const names = [...Object.keys(settings), ...Object.keys(direct), ...Object.keys(secrets)];
    expect(names.filter((name) => !isSetting(name))).toEqual([]);
    const known = Object.fromEntries(Object.entries(direct).filter(([name]) => isSettingName(name)));
    const config = loadConfig({ env: { ...settings, ...known, ...secrets }, cwd: tmpdir(), flags: {} });
    expect(config).toMatchObject({ page: { host: '0.0.0.0', port: container.ports[0]?.containerPort }, warnings: [] });
  });

  test('takes every secret from a file of the mounted Secret, and none from the environment', () => {
    const [mount] = container.volumeMounts;
    for (const { name, value } of container.env.filter((one) => one.name.endsWith('_FILE'))) {
      const key = value?.slice((mount?.mountPath.length ?? 0) + 1) ?? '';
      expect([value?.startsWith(`${mount?.mountPath ?? ''}/`), `${key}_FILE`, key in secrets]).toEqual([
        true,
        name,
        true,
      ]);
    }
    const given = [...Object.keys(settings), ...container.env.map(({ name }) => name)];
    expect(
      given.filter((name) => isSettingName(name) && 'sensitive' in SETTINGS[name] && name.endsWith('PASSWORD')),
    ).toEqual([]);
  });

  test('probes what is served, gives the block in hand its time, and runs several members of one group', () => {
    expect(container.args).toEqual(['run']);
    const probes = [container.startupProbe, container.livenessProbe, container.readinessProbe];
    expect(probes.map(({ httpGet }) => httpGet.path)).toEqual(['/healthz', '/healthz', '/readyz']);
    expect(new Set(probes.map(({ httpGet }) => httpGet.port))).toEqual(new Set([container.ports[0]?.name]));
    expect(pod.terminationGracePeriodSeconds).toBeGreaterThan(DEADLINE + 5);
    expect(deployment.replicas).toBeGreaterThan(1);
  });

  test('gives the process no rights', () => {
    expect(pod.securityContext).toMatchObject({ runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } });
    expect(container.securityContext).toEqual({
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ['ALL'] },
    });
    expect(container.resources.limits.memory).toBe('512Mi');
  });
});

describe('deploy/debezium-clickhouse.service', () => {
  const text = read('deploy/debezium-clickhouse.service');
  const values = (name: string): string[] =>
    [...text.matchAll(new RegExp(`^${name}=(.*)$`, 'gm'))].map(([, value]) => value ?? '');

  test('has sections and lines of the form that systemd reads', () => {
    const odd = text.split('\n').filter((line) => !/^(|#.*|\[(Unit|Service|Install)\]|[A-Za-z]+=.*)$/.test(line));
    expect(odd).toEqual([]);
    expect(text.match(/^\[\w+\]$/gm)).toEqual(['[Unit]', '[Service]', '[Install]']);
  });

  /** What systemd itself finds in a unit. Only what is said of this unit counts: the machine's others may have faults of their own. */
  const verified = (unit: string): string[] => {
    const folder = mkdtempSync(join(tmpdir(), 'unit-'));
    try {
      const file = join(folder, 'debezium-clickhouse.service');
      writeFileSync(file, unit.replace('/usr/bin/node', process.execPath));
      const { stdout, stderr } = spawnSync('systemd-analyze', ['verify', '--man=no', file], { encoding: 'utf8' });
      return `${stdout}${stderr}`.split('\n').filter((line) => line.includes('debezium-clickhouse.service'));
    } finally {
      rmSync(folder, { recursive: true });
    }
  };
  const hasSystemd = spawnSync('systemd-analyze', ['--version']).status === 0;
  if (!hasSystemd)
    process.stderr.write('SKIPPED, because there is no systemd-analyze: what systemd says of the unit\n');

  (hasSystemd ? test : test.skip)('has nothing that systemd finds fault with', () => {
    expect(verified(text)).toEqual([]);
    // It does find: a name that it does not know, a value that cannot be.
    expect(verified(text.replace('UMask=0077', 'UMsk=0077')).join()).toContain('UMsk');
    expect(verified(text.replace('Restart=on-failure', 'Restart=sometimes')).join()).toContain('sometimes');
  });

  test('sets only settings that exist, its secrets from credentials that it loads', () => {
    const set = values('Environment').map((one) => one.split('=') as [string, string]);
    expect(set.map(([name]) => name).filter((name) => name !== 'NODE_ENV' && !isSetting(name))).toEqual([]);
    const loaded = values('LoadCredential').map((one) => one.split(':')[0]);
    const used = set.filter(([name]) => name.endsWith('_FILE')).map(([, value]) => value.replace('%d/', ''));
    expect(used).toEqual(loaded);
  });

  test('does not start again where a person is needed, and gives the block in hand its time', () => {
    const codes = Object.keys(ERROR_CODES) as ErrorCode[];
    const kinds = (...of: string[]): Set<number> =>
      new Set(
        codes
          .filter((code) => of.includes(ERROR_CODES[code]))
          .map((code) => exitCodeOf(new ServiceError(code, 'x', { hint: 'x' }))),
      );
    // 3 and 70 may pass by themselves: a command that could not wait, a bug that a restart gets around.
    const [listed] = values('RestartPreventExitStatus').map((one) => one.split(' ').map(Number));
    const wanted = [...kinds('config', 'stop')].filter((code) => code !== 3 && code !== 70);
    expect(listed).toEqual([...new Set(wanted)].sort((a, b) => a - b));
    expect(Number(values('TimeoutStopSec')[0])).toBeGreaterThan(DEADLINE + 5);
  });

  test('gives the process no rights', () => {
    const on = [
      'NoNewPrivileges',
      'ProtectHome',
      'PrivateTmp',
      'PrivateDevices',
      'DynamicUser',
      'ProtectKernelModules',
    ];
    for (const name of on) expect([name, values(name)]).toEqual([name, ['yes']]);
    expect([values('ProtectSystem'), values('CapabilityBoundingSet')]).toEqual([['strict'], ['']]);
  });
});

describe('the Dockerfile', () => {
  const text = read('Dockerfile');

  test('copies what is there, from stages that are there, and starts what it has built', () => {
    const copies = [...text.matchAll(/^COPY (?:--from=(\w+) )?(.+) (\S+)$/gm)];
    expect(copies.length).toBeGreaterThan(8);
    const stages = [...text.matchAll(/^FROM \S+ AS (\w+)$/gm)].map(([, name]) => name);
    for (const [, stage, sources = ''] of copies)
      if (stage !== undefined) expect(stages).toContain(stage);
      else expect([sources, sources.split(' ').filter((path) => !existsSync(path))]).toEqual([sources, []]);
    // The context holds what .dockerignore lets through, and nothing else.
    const [first, ...allowed] = read('.dockerignore')
      .split('\n')
      .filter((line) => line !== '' && !line.startsWith('#'));
    expect(first).toBe('*');
    const sent = (path: string): boolean => allowed.some((one) => `${path}/`.startsWith(`${one.slice(1)}/`));
    const all = copies.flatMap(([, stage, sources = '']) => (stage === undefined ? sources.split(' ') : []));
    expect(all.filter((path) => !sent(path.replace(/\/$/, '')))).toEqual([]);
    expect(text).toMatch(/^ENTRYPOINT \["node", "dist\/src\/main\.js"\]$/m);
  });

  test('ships the native code of the packages that need it, and none of the parts of the local stack', () => {
    type Package = Record<'dependencies' | 'optionalDependencies', Record<string, string> | undefined>;
    const packageOf = (path: string): Package => JSON.parse(read(`${path}/package.json`)) as Package;
    const own = packageOf('.');
    const native = Object.keys(own.dependencies ?? {}).filter(
      (name) => packageOf(`node_modules/${name}`).optionalDependencies !== undefined,
    );
    expect(native).toEqual(expect.arrayContaining(['lz4-napi', 'snappy']));
    expect(Object.keys(own.optionalDependencies ?? {})).toContain('chdb');
    const [, shipped = ''] = /^FROM \S+ AS packages$([^]*?)^FROM/m.exec(text) ?? [];
    expect(shipped).toContain('npm pkg delete optionalDependencies && npm install');
    expect(shipped).not.toContain('--omit=optional');
  });

  test('runs as a user without rights, stops by SIGTERM, and has a probe that exists', () => {
    expect(text).toMatch(/^USER node$/m);
    expect(text).toMatch(/^STOPSIGNAL SIGTERM$/m);
    const [, script = ''] = /^HEALTHCHECK .*CMD \["node", "dist\/(src\/[\w/-]+)\.js"\]$/m.exec(text) ?? [];
    expect(read(`${script}.ts`)).toContain('/healthz');
  });
});
