/** The architecture, as rules that fail the build. docs/ARCHITECTURE.md says why. */
const PURE =
  '^src/(model|errors|events|event-words|event-guide|config/patterns|config/forms|connector-modes|column-rules|override-type|repeated-name)\\.ts$|^src/(debezium|plan)/' +
  '|^src/clickhouse/(byte-stream|column[a-z-]*|native|ddl|ddl-history|mirror-layout|mirror-plan|mirror-type|chosen-type|missing-value|image-codec|image-forms|wire-definition|quote|change-expression|change-notation|change-printed|low-cardinality)\\.ts$|^src/kafka/(offsets|record-batch)\\.ts$' +
  '|^src/check/(facts|kind|kinds|connector-kinds|findings|judge-[a-z]+|connector-options|report)\\.ts$' +
  '|^src/telemetry/(figures|fold|metric-list|state|status|slow)\\.ts$|^src/http/(columns|ports|reconciliation)\\.ts$';
/** The parts of clickhouse/ that are data and bytes only, which decoding writes into. */
const COLUMNS =
  '^src/clickhouse/(byte-stream|column[a-z-]*|native|low-cardinality|mirror-layout|mirror-plan|mirror-type|chosen-type|missing-value|image-codec)\\.ts$';
const EDGES = 'kafka|clickhouse|postgres|connect|registry|http';

const door = (pkg, files) => ({
  name: `one-door-for-${pkg.replace(/\W+/g, '-')}`,
  comment: 'Each outside package enters through one file, so it can be replaced there.',
  severity: 'error',
  from: { path: '^src/', pathNot: `^src/${files}\\.ts$` },
  to: { path: `node_modules/${pkg}/` },
});

/** @type {import('dependency-cruiser').IConfiguration} */
module.exports = {
  forbidden: [
    { name: 'no-circular', severity: 'error', from: {}, to: { circular: true } },
    {
      name: 'no-orphans',
      severity: 'error',
      from: { orphan: true, path: '^src/' },
      to: {},
    },
    {
      name: 'no-unresolvable',
      severity: 'error',
      from: { path: '^(src|stack|demo)/' },
      to: { couldNotResolve: true },
    },
    {
      name: 'pure-imports-only-pure',
      comment: 'No clock, no I/O, no logger, no package in the core: data in, data out.',
      severity: 'error',
      from: { path: PURE },
      to: { pathNot: PURE },
    },
    {
      name: 'decoding-and-planning-are-strangers',
      comment: 'They meet in pipeline.ts, and share only model.ts, errors.ts and the pure columns.',
      severity: 'error',
      from: { path: '^src/(debezium|plan)/' },
      to: { path: '^src/(debezium|plan)/', pathNot: '^src/$1/' },
    },
    {
      name: 'the-core-knows-of-clickhouse-only-columns',
      severity: 'error',
      from: { path: '^src/(debezium|plan)/' },
      to: { path: '^src/clickhouse/', pathNot: COLUMNS },
    },
    {
      name: 'edges-are-strangers',
      comment: 'They are joined in app.ts and in the commands.',
      severity: 'error',
      from: { path: `^src/(${EDGES})/` },
      to: { path: `^src/(${EDGES})/`, pathNot: '^src/$1/' },
    },
    {
      name: 'check-is-given-its-parts',
      severity: 'error',
      from: { path: '^src/check/' },
      to: { path: `^src/(${EDGES}|telemetry)/|node_modules` },
    },
    {
      name: 'pipeline-knows-no-way-in',
      comment: 'It joins the pure parts and is handed the rest.',
      severity: 'error',
      from: { path: '^src/pipeline\\.ts$' },
      to: { path: '^src/telemetry/|^src/(app|cli|cli/[a-z-]+|config|retry|shutdown)\\.ts$|node_modules' },
    },
    {
      name: 'only-app-and-cli-read-config',
      severity: 'error',
      from: { path: '^src/', pathNot: '^src/(app|wiring|wiring/[a-z-]+|cli|cli/[a-z-]+|config|config/[a-z-]+)\\.ts$' },
      to: { path: '^src/config\\.ts$' },
    },
    {
      name: 'nobody-imports-the-wiring',
      comment: 'The exit codes of cli/failure.ts are data that app.ts may use. The wiring has parts.',
      severity: 'error',
      from: { path: '^src/', pathNot: '^src/(app|wiring|wiring/[a-z-]+|cli|cli/[a-z-]+|main)\\.ts$' },
      to: { path: '^src/(app|wiring|wiring/[a-z-]+|cli|cli/[a-z-]+|main)\\.ts$', pathNot: '^src/cli/failure\\.ts$' },
    },
    door('kafkajs', 'kafka/[a-z-]+'),
    door('@clickhouse/client', 'clickhouse/client'),
    door('pg', 'postgres/client'),
    door('@kafkajs/confluent-schema-registry', 'registry/client'),
    door('lz4-napi', 'kafka/codecs'),
    door('snappy', 'kafka/codecs'),
    door('convict', 'config'),
    door('dotenv', 'config'),
    door('winston', 'telemetry/log'),
    door('prom-client', 'telemetry/metrics'),
    door('commander', '(cli|cli/[a-z-]+)'),
    door('cli-table3', '(cli|cli/[a-z-]+)'),
    {
      name: 'src-never-imports-test',
      severity: 'error',
      from: { path: '^src/' },
      to: { path: '^(test|stack|demo|bench)/' },
    },
  ],
  options: {
    tsConfig: { fileName: 'tsconfig.json' },
    tsPreCompilationDeps: true,
    doNotFollow: { path: 'node_modules' },
    preserveSymlinks: true,
    enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['require', 'node', 'import', 'default'] },
  },
};
