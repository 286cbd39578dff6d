/** The connector profiles: what all of them promise, and how their placeholders are filled. */
import fc from 'fast-check';
import {
  fillPlaceholders,
  PLACEHOLDER_DEFAULTS,
  PROFILES,
  readProfile,
  withDefaults,
} from '../../../src/connect/profile';
import { ServiceError } from '../../../src/errors';

const SOURCE = {
  PG_HOST: 'db.example',
  PG_PORT: '5432',
  PG_USER: 'cdc',
  PG_PASSWORD: 'p$ss${PG_USER}',
  PG_DATABASE: 'shop',
  REGISTRY_URL: 'http://registry:8080',
  TABLE_INCLUDE_LIST: 'public\\..*',
};

/** What DESIGN says every profile has, because without it values or changes are lost or arrive late. */
const COMMON = {
  'plugin.name': 'pgoutput',
  'publication.autocreate.mode': 'disabled',
  'snapshot.mode': 'initial',
  'skipped.operations': 'none',
  'decimal.handling.mode': 'string',
  'time.precision.mode': 'microseconds',
  'binary.handling.mode': 'hex',
  'interval.handling.mode': 'string',
  'provide.transaction.metadata': 'true',
  'event.converting.failure.handling.mode': 'fail',
  'offset.mismatch.strategy': 'trust_offset',
  'exactly.once.support': 'required',
  'transaction.boundary': 'poll',
  'poll.interval.ms': '50',
  'extended.headers.enabled': 'false',
  'topic.creation.default.partitions': '1',
  'topic.creation.default.cleanup.policy': 'delete',
  'producer.override.compression.type': 'none',
  'key.converter': 'org.apache.kafka.connect.json.JsonConverter',
  'key.converter.schemas.enable': 'false',
};

describe.each(PROFILES)('the profile %s', (profile) => {
  const filled = fillPlaceholders(readProfile(profile), withDefaults(SOURCE));

  test('has the options that all profiles share', () => {
    expect(filled.config).toMatchObject(COMMON);
  });

  test('holds no password and no address in its file', () => {
    const { config } = readProfile(profile);
    for (const [option, value] of Object.entries(config)) {
      if (/password|hostname|\.user$|\.port$|dbname|url$/.test(option)) expect(value).toMatch(/^\$\{[A-Z_]+\}/);
    }
    expect(config['database.password']).toBe('${PG_PASSWORD}');
  });

  test('is filled whole, and a value that looks like a placeholder is not filled again', () => {
    const { 'database.password': password, ...others } = filled.config;
    expect(password).toBe('p$ss${PG_USER}');
    expect(JSON.stringify(others)).not.toContain('${');
    expect(filled.name).toBe('debezium-clickhouse');
  });
});

test('the profiles differ only in the form of the values', () => {
  const [json, withSchema, avro] = PROFILES.map((profile) => readProfile(profile).config);
  const differing = (other: typeof json): string[] =>
    Object.keys({ ...json, ...other }).filter((option) => json?.[option] !== other?.[option]);
  expect(differing(withSchema)).toEqual(['value.converter.schemas.enable']);
  for (const option of differing(avro))
    expect(option).toMatch(/^value\.converter|name\.adjustment\.mode$|^column\.propagate/);
  expect(json).toMatchObject({
    'value.converter.schemas.enable': 'false',
    'value.converter.replace.null.with.default': 'false',
  });
  expect(avro).toMatchObject({ 'value.converter.apicurio.registry.as-confluent': 'true' });
});

test('the registry may be named as clients want it', () => {
  for (const url of ['http://r:8080', 'http://r:8080/', 'http://r:8080/apis/ccompat/v7']) {
    expect(withDefaults({ REGISTRY_URL: url })['REGISTRY_URL']).toBe('http://r:8080');
  }
});

test('all settings without a value are named at once', () => {
  const fill = (): unknown => fillPlaceholders(readProfile('avro'), withDefaults({ PG_HOST: 'h', PG_USER: '' }));
  expect(fill).toThrow(ServiceError);
  expect(fill).toThrow(/needs PG_DATABASE, PG_PASSWORD, PG_PORT, PG_USER, REGISTRY_URL, TABLE_INCLUDE_LIST,/);
});

test('an empty password is a value, any other empty setting is not', () => {
  expect(withDefaults({ PG_PASSWORD: '', SLOT_NAME: '', PG_HOST: undefined })).toEqual({
    ...PLACEHOLDER_DEFAULTS,
    PG_PASSWORD: '',
  });
});

test("Kafka Connect's own placeholders pass through", () => {
  const definition = { name: 'n', config: { a: '${env:PG_PASSWORD}', b: '${file:/run/x:key}' } };
  expect(fillPlaceholders(definition, {})).toEqual(definition);
});

test('any value lands in the option as it is', () => {
  fc.assert(
    fc.property(fc.string(), (value) => {
      const filled = fillPlaceholders({ name: 'n', config: { o: '<${X}>' } }, { X: value });
      expect(filled.config).toEqual({ o: `<${value}>` });
    }),
  );
});

test('a profile that is not there is named', () => {
  expect(() => readProfile('json', __dirname)).toThrow(/json\.json cannot be read/);
});
