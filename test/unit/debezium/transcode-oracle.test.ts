/** Random rows as records of every wire and mode become what they were made of; `npm run test:oracle` makes millions of them. */
import type { ConnectorModes } from '../../../src/model';
import { BLOCK, checkBlock } from '../../oracle/check';
import { WIRES } from '../../oracle/records';
import { SOME_MODES } from '../../oracle/types';

const SEED = Number(process.env['SEED'] ?? 20261121);

describe.each(WIRES)('every value through %s', (wire) => {
  it.each(SOME_MODES.map((modes): [string, ConnectorModes] => [JSON.stringify(modes), modes]))(
    `is what was made of seed ${SEED}: %s`,
    (_, modes) => {
      expect(checkBlock(wire, modes, SEED, BLOCK)).toBeNull();
    },
    60_000,
  );
});
