/** The process around the command line: hands it over, and turns the result into an exit code. */
import { runCli, type Surroundings } from '../cli';
import { EXIT, failureBlock } from './failure';

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
  loadApp: () => require('../app') as ReturnType<Surroundings['loadApp']>,
  loadCheck: () => require('./check') as ReturnType<Surroundings['loadCheck']>,
  loadConnectors: () =>
    ({ ...require('./connectors'), ...require('./snapshot') }) as ReturnType<Surroundings['loadConnectors']>,
  loadVerify: () => require('./verify') as ReturnType<Surroundings['loadVerify']>,
  loadReplay: () => require('./replay') as ReturnType<Surroundings['loadReplay']>,
  loadRebuild: () => require('./rebuild') as ReturnType<Surroundings['loadRebuild']>,
  operations: {
    quarantine: () => require('./quarantine') as ReturnType<Surroundings['operations']['quarantine']>,
    decide: () => require('./quarantine-decide') as ReturnType<Surroundings['operations']['decide']>,
    pause: () => require('./pause') as ReturnType<Surroundings['operations']['pause']>,
    forget: () => require('./forget') as ReturnType<Surroundings['operations']['forget']>,
    inspect: () => require('./inspect') as ReturnType<Surroundings['operations']['inspect']>,
  },
}).then((exitCode) => {
  process.exitCode = exitCode;
  // All is closed by now; should a connection be left open after all, it must not keep a stopped service alive.
  setTimeout(() => process.exit(), 2_000).unref();
});
