/** Lint rules: the strict set, small files and functions, and no clock or I/O in the pure files (docs/ARCHITECTURE.md). */
import tseslint from 'typescript-eslint';

const PURE = [
  'src/{model,errors,events,event-words,event-guide,config/patterns,config/forms,connector-modes,column-rules,override-type,repeated-name}.ts',
  'src/{debezium,plan}/**/*.ts',
  'src/clickhouse/{byte-stream,column*,native,ddl,ddl-history,mirror-layout,mirror-type,quote,change-expression,low-cardinality}.ts',
  'src/kafka/{offsets,record-batch}.ts',
  'src/check/{facts,findings,connector-options,report}.ts',
  'src/telemetry/{figures,fold,metric-list,state,status,slow}.ts',
  'src/http/{columns,ports,reconciliation}.ts',
];

/**
 * Pure files that walk bytes: an index within bounds is known to be there, a hot loop is one function on purpose, and a
 * column that is copied from or compared with is of the same class by construction.
 */
const BYTES = [
  'src/debezium/**/*.ts',
  'src/clickhouse/{byte-stream,column*,native,low-cardinality}.ts',
  'src/kafka/record-batch.ts',
];

export default tseslint.config(
  { ignores: ['dist/', 'coverage/', '.stack/', 'node_modules/', '**/*.cjs', '**/*.mjs'] },
  ...tseslint.configs.strictTypeChecked,
  { languageOptions: { parserOptions: { project: './tsconfig.test.json', tsconfigRootDir: import.meta.dirname } } },
  {
    rules: {
      // The compiler reports what is unused.
      '@typescript-eslint/no-unused-vars': 'off',
      '@typescript-eslint/require-await': 'off',
      '@typescript-eslint/no-meaningless-void-operator': 'off',
      '@typescript-eslint/no-unnecessary-type-parameters': 'off',
      '@typescript-eslint/no-confusing-void-expression': 'off',
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true, allowBoolean: true }],
      '@typescript-eslint/switch-exhaustiveness-check': 'error',
      'max-lines': ['error', { max: 300, skipBlankLines: true, skipComments: true }],
      'max-params': ['error', 4],
      // A switch over a closed union counts as one decision, however many members it has.
      complexity: ['error', { max: 12, variant: 'modified' }],
      'no-console': 'error',
    },
  },
  {
    files: PURE,
    rules: {
      'no-restricted-globals': [
        'error',
        'process',
        'setTimeout',
        'setInterval',
        'setImmediate',
        'fetch',
        'performance',
        'console',
      ],
      'no-restricted-properties': [
        'error',
        { object: 'Date', property: 'now' },
        { object: 'Math', property: 'random' },
      ],
      'no-restricted-syntax': [
        'error',
        { selector: 'NewExpression[callee.name="Date"][arguments.length=0]', message: 'Pass the time in.' },
        {
          selector: ':matches(FunctionDeclaration,FunctionExpression,ArrowFunctionExpression)[async=true]',
          message: 'The core never waits.',
        },
      ],
    },
  },
  {
    files: BYTES,
    rules: {
      '@typescript-eslint/no-non-null-assertion': 'off',
      '@typescript-eslint/no-unsafe-class-instance-assignment': 'off',
      complexity: ['error', { max: 25, variant: 'modified' }],
      'max-params': ['error', 6],
    },
  },
  // The service is loaded when it is run, so that --help does not wait for it.
  { files: ['src/{main,cli/process}.ts'], rules: { '@typescript-eslint/no-require-imports': 'off' } },
  {
    files: ['test/**/*.ts'],
    rules: {
      'max-lines': 'off',
      complexity: 'off',
      '@typescript-eslint/no-unsafe-class-instance-assignment': 'off',
      '@typescript-eslint/no-misused-spread': 'off',
      '@typescript-eslint/no-non-null-assertion': 'off',
      '@typescript-eslint/no-floating-promises': 'error',
    },
  },
);
