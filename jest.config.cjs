/**
 * Unit tests need nothing; integration tests (test/integration) need the compiled service (npm run build) and the real
 * parts, which their global setup starts once per run. They run side by side, each in a world of its own. Those
 * that kill the parts are the project "alone", for one worker; only unit tests run beside them.
 */
const swc = { jsc: { target: 'es2023', parser: { syntax: 'typescript' } }, module: { type: 'commonjs' } };
const common = {
  transform: { '^.+\\.ts$': ['@swc/jest', swc] },
  testEnvironment: 'node',
  moduleFileExtensions: ['ts', 'js', 'json', 'node'],
  modulePathIgnorePatterns: ['<rootDir>/dist/', '<rootDir>/.stack/'],
};

const onRealParts = {
  ...common,
  globalSetup: '<rootDir>/test/harness/global-setup.ts',
  globalTeardown: '<rootDir>/test/harness/global-teardown.ts',
};
const alone = ['restarts', 'chaos'].map((name) => `<rootDir>/test/integration/${name}.test.ts`);

/** @type {import('jest').Config} */
module.exports = {
  projects: [
    { ...common, displayName: 'unit', testMatch: ['<rootDir>/test/unit/**/*.test.ts'] },
    { ...common, displayName: 'model', testMatch: ['<rootDir>/test/model/**/*.test.ts'] },
    {
      ...onRealParts,
      displayName: 'integration',
      testMatch: ['<rootDir>/test/integration/**/*.test.ts'],
      testPathIgnorePatterns: ['/node_modules/', ...alone],
    },
    { ...onRealParts, displayName: 'alone', testMatch: alone },
  ],
};
