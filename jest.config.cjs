/** Unit tests need nothing; integration tests (test/integration) need the stack that test/stack-setup starts once per run. */
const transform = { '^.+\\.ts$': ['@swc/jest', { jsc: { target: 'es2023', parser: { syntax: 'typescript' } }, module: { type: 'commonjs' } }] };
const common = { transform, testEnvironment: 'node', moduleFileExtensions: ['ts', 'js', 'json', 'node'] };

/** @type {import('jest').Config} */
module.exports = {
  projects: [{ ...common, displayName: 'unit', testMatch: ['<rootDir>/test/unit/**/*.test.ts'] }],
};
