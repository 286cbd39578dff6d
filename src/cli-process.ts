/** The process around the command line: hands it over, and turns the result into an exit code. */
import { runCli, type Surroundings } from './cli';
import { EXIT, failureBlock } from './cli-failure';

const printError = (text: string): void => {
  process.stderr.write(text);
};

process.on('uncaughtException', (error) => {
  printError(failureBlock(error));
  process.exit(EXIT.unexpected);
});

void runCli(process.argv.slice(2), {
  env: process.env,
  cwd: process.cwd(),
  print: (text) => process.stdout.write(`${text}\n`),
  printError,
  loadApp: () => require('./app') as ReturnType<Surroundings['loadApp']>,
  loadCheck: () => require('./cli-check') as ReturnType<Surroundings['loadCheck']>,
  loadConnectors: () =>
    ({ ...require('./cli-connectors'), ...require('./cli-snapshot') }) as ReturnType<Surroundings['loadConnectors']>,
  loadVerify: () => require('./cli-verify') as ReturnType<Surroundings['loadVerify']>,
  loadReplay: () => require('./cli-replay') as ReturnType<Surroundings['loadReplay']>,
  loadRebuild: () => require('./cli-rebuild') as ReturnType<Surroundings['loadRebuild']>,
  operations: {
    quarantine: () => require('./cli-quarantine') as ReturnType<Surroundings['operations']['quarantine']>,
    decide: () => require('./cli-quarantine-decide') as ReturnType<Surroundings['operations']['decide']>,
    pause: () => require('./cli-pause') as ReturnType<Surroundings['operations']['pause']>,
    forget: () => require('./cli-forget') as ReturnType<Surroundings['operations']['forget']>,
    inspect: () => require('./cli-inspect') as ReturnType<Surroundings['operations']['inspect']>,
  },
}).then((exitCode) => {
  process.exitCode = exitCode;
  // All is closed by now; should a connection be left open after all, it must not keep a stopped service alive.
  setTimeout(() => process.exit(), 2_000).unref();
});
