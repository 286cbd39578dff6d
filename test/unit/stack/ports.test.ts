import { createServer } from 'node:net';
import type { AddressInfo, Server } from 'node:net';
import { choosePorts, isPortFree } from '../../../stack/ports';
import { PORT_NAMES, readStackSettings } from '../../../stack/stack-settings';
import type { PortName, Ports } from '../../../stack/stack-settings';

const ALL = new Set(PORT_NAMES);
const NONE = new Set<PortName>();
const FREE = Object.fromEntries(PORT_NAMES.map((name) => [name, 0])) as Record<PortName, number>;

describe('choosing ports', () => {
  let blocker: Server;
  let taken: number;
  beforeAll(async () => {
    blocker = createServer();
    await new Promise<void>((resolve) => {
      blocker.listen(0, '127.0.0.1', resolve);
    });
    taken = (blocker.address() as AddressInfo).port;
  });
  afterAll(async () => {
    await new Promise((resolve) => blocker.close(resolve));
  });

  const choose = (options: Partial<Parameters<typeof choosePorts>[0]>): Promise<Ports> =>
    choosePorts({ wanted: FREE, before: undefined, inUse: NONE, needed: ALL, ...options });

  test('gives 0 a free port, each another', async () => {
    const ports = Object.values(await choose({}));
    expect(new Set(ports).size).toBe(PORT_NAMES.length);
    expect(await Promise.all(ports.map(isPortFree))).toEqual(ports.map(() => true));
  });

  test('keeps for 0 the port of the start before, while it is free', async () => {
    const before = await choose({});
    expect(await choose({ before })).toEqual(before);
    const moved = await choose({ before: { ...before, kafka: taken } });
    expect(moved.kafka).not.toBe(taken);
  });

  test('names every port that is taken, its setting, and another to try', async () => {
    const wanted = { ...FREE, kafka: taken, connect: taken };
    const error = await choose({ wanted }).catch((reason: unknown) => reason);
    expect(error).toMatchObject({
      code: 'CONFIG_INVALID',
      message: `port ${taken} (STACK_KAFKA_PORT) is in use by another program\nport ${taken} (STACK_CONNECT_PORT) is in use by another program\nnothing was started`,
      hint: expect.stringMatching(/make up STACK_KAFKA_PORT=\d+ STACK_CONNECT_PORT=\d+$/) as string,
    });
  });

  test('does not mind a taken port of a part that is not started', async () => {
    const wanted = { ...FREE, registry: taken };
    const needed = new Set(PORT_NAMES.filter((name) => name !== 'registry'));
    expect((await choose({ wanted, needed })).registry).toBe(taken);
  });

  test('leaves a running part the port it has, whatever the setting says', async () => {
    const before = { ...FREE, kafka: taken };
    expect((await choose({ wanted: { ...FREE, kafka: 1 }, before, inUse: new Set(['kafka'] as const) })).kafka).toBe(
      taken,
    );
  });
});

describe('the settings of the stack', () => {
  test('have defaults, with folders below the root', () => {
    expect(readStackSettings('/root-of/it', {})).toEqual({
      mode: undefined,
      connector: undefined,
      dir: '/root-of/it/.stack',
      partsDir: '/root-of/it/.stack/parts',
      ports: {
        postgres: 54320,
        kafka: 19092,
        kafkaController: 19093,
        connect: 18083,
        clickhouseHttp: 18123,
        clickhouseTcp: 19000,
        registry: 18081,
      },
    });
  });

  test('take what is set; an empty value counts as not set, none as no connector', () => {
    const settings = readStackSettings('/r', {
      STACK: 'docker',
      CONNECTOR: 'none',
      STACK_DIR: '/elsewhere',
      STACK_PARTS_DIR: '',
      STACK_PG_PORT: '0',
      STACK_KAFKA_PORT: '',
    });
    expect(settings).toMatchObject({ mode: 'docker', connector: null, dir: '/elsewhere', partsDir: '/r/.stack/parts' });
    expect(settings.ports).toMatchObject({ postgres: 0, kafka: 19092 });
  });

  test.each([
    [{ STACK_PG_PORT: '70000' }, 'STACK_PG_PORT is not a port'],
    [{ STACK_PG_PORT: '-1' }, 'STACK_PG_PORT is not a port'],
    [{ STACK_CH_TCP_PORT: '1e3' }, 'STACK_CH_TCP_PORT is not a port'],
    [{ STACK: 'podman' }, 'STACK must be one of docker, local'],
    [{ CONNECTOR: 'xml' }, 'CONNECTOR must be one of json, json-schema, avro, none'],
  ])('refuse %j and name the setting', (environment, message) => {
    expect(() => readStackSettings('/r', environment)).toThrow(message);
  });
});
