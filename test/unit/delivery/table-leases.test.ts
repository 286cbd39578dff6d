/** Blocks share a mirror; a rebuild has it alone. */
import fc from 'fast-check';
import { createTableLeases } from '../../../src/delivery/table-leases';

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe('leases of tables', () => {
  it('are shared by blocks', async () => {
    const leases = createTableLeases();
    const first = await leases.share(['a', 'b']);
    const second = await leases.share(['b']);
    first();
    second();
  });

  it('let a rebuild wait for the blocks under way, and blocks wait for the rebuild', async () => {
    const leases = createTableLeases();
    const said: string[] = [];
    const release = await leases.share(['a']);
    const finish = Promise.withResolvers<undefined>();
    const rebuilt = leases.alone('a', async () => {
      said.push('rebuild');
      await finish.promise;
      said.push('rebuilt');
    });
    await turn();
    const block = leases.share(['a', 'b']).then((done) => {
      said.push('block');
      done();
    });
    await turn();
    expect(said).toEqual([]);
    release();
    await turn();
    expect(said).toEqual(['rebuild']);
    const other = await leases.share(['b']);
    other();
    finish.resolve(undefined);
    await Promise.all([rebuilt, block]);
    expect(said).toEqual(['rebuild', 'rebuilt', 'block']);
  });

  it('are free again after a rebuild that failed, and count a release once', async () => {
    const leases = createTableLeases();
    await expect(leases.alone('a', () => Promise.reject(new Error('away')))).rejects.toThrow('away');
    const [first, second] = [await leases.share(['a']), await leases.share(['a'])];
    first();
    first();
    let alone = false;
    const rebuilt = leases.alone('a', async () => {
      alone = true;
    });
    await turn();
    expect(alone).toBe(false);
    second();
    await rebuilt;
    expect(alone).toBe(true);
  });

  it('never let a rebuild run beside a block or another rebuild of its table, in any order', async () => {
    const step = fc.record({
      kind: fc.constantFrom('block', 'rebuild'),
      tables: fc.subarray(['a', 'b', 'c'], { minLength: 1 }),
      turns: fc.nat(3),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 20 }), async (steps) => {
        const leases = createTableLeases();
        const users = new Map<string, { blocks: number; rebuilds: number }>();
        const use = async (kind: string, names: readonly string[], turns: number): Promise<void> => {
          const of = names.map((name) => {
            const found = users.get(name) ?? { blocks: 0, rebuilds: 0 };
            users.set(name, found);
            return found;
          });
          for (const one of of) {
            expect(one.rebuilds).toBe(0);
            if (kind === 'rebuild') expect(one.blocks).toBe(0);
            one[kind === 'rebuild' ? 'rebuilds' : 'blocks']++;
          }
          for (let left = turns; left > 0; left--) await turn();
          for (const one of of) one[kind === 'rebuild' ? 'rebuilds' : 'blocks']--;
        };
        await Promise.all(
          steps.map(async ({ kind, tables, turns }) => {
            if (kind === 'rebuild') return leases.alone(tables[0]!, () => use(kind, tables.slice(0, 1), turns));
            const release = await leases.share(tables);
            await use(kind, tables, turns);
            release();
          }),
        );
        expect([...users.values()].every(({ blocks, rebuilds }) => blocks + rebuilds === 0)).toBe(true);
      }),
      { numRuns: 50 },
    );
  });
});
