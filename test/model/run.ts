/** Runs many seeds of the model: `npm run model -- --seeds 100000 --from 1 [--without rule,rule]`. */
import { parseArgs } from 'node:util';
import { RULES, rulesWithout, type Rule } from './rules';
import { simulate, tell } from './simulate';

const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '100000' },
    from: { type: 'string', default: '1' },
    without: { type: 'string', default: '' },
  },
});

function asRule(name: string): Rule {
  if (name in RULES) return name as Rule;
  throw new Error(`There is no rule ${name}; the rules are ${Object.keys(RULES).join(', ')}.`);
}

function main(): number {
  const rules = rulesWithout(
    ...values.without
      .split(',')
      .filter((name) => name !== '')
      .map(asRule),
  );
  const from = Number(values.from);
  const seeds = Number(values.seeds);
  const startedAt = performance.now();
  let steps = 0;
  for (let seed = from; seed < from + seeds; seed++) {
    const outcome = simulate(seed, rules);
    steps += outcome.steps;
    if (outcome.broken === null) continue;
    process.stdout.write(
      `${tell(seed, rules).trace.join('\n')}\nseed ${seed}, the ${seed - from + 1}th, breaks ${outcome.message}\n`,
    );
    return 1;
  }
  const seconds = (performance.now() - startedAt) / 1_000;
  process.stdout.write(
    `${seeds} seeds from ${from}: ${steps} steps, no promise broken, ${Math.round(seeds / seconds)} seeds a second\n`,
  );
  return 0;
}

process.exitCode = main();
