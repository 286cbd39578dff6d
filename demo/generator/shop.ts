/** A shop: sales, and movements of a warehouse's stock; both are corrected and cancelled later, as people do. */
import type { Random } from './random';
import { createRows } from './rows';
import type { Change } from './tables';

/** What lies in one warehouse of one product. */
export interface Stock {
  readonly product_id: number;
  readonly warehouse: string;
  readonly pieces: number;
}

export const PRODUCTS = 24;
const WAREHOUSES = ['A', 'B'];
const CATEGORIES = ['books', 'games', 'books', 'garden', 'kitchen', 'music', 'toys', 'games'];
const REGIONS = { north: 30, south: 25, east: 15, west: 12, online: 15, '': 3 };
const MOST_ROWS = 2_000;
/** Of a hundred changes of each table, how many are of which kind. */
const SALE_KINDS = { sold: 82, corrected: 11, cancelled: 7 };
const STOCK_KINDS = { moved: 86, corrected: 9, cancelled: 5 };
/** A warehouse with fewer pieces is delivered to, sooner or later. */
const LOW = 20;
/** How many of a hundred movements are deliveries while something is low. */
const DELIVERIES = 5;

export function categoryOf(product: number): string {
  return CATEGORIES[(product - 1) % CATEGORIES.length] ?? '';
}

/** Cents. */
function priceOf(product: number): number {
  return 490 + ((product * 7_919) % 9_000);
}

interface Sale {
  readonly key: string;
  readonly product: number;
}

export function createSales(random: Random, keys: Random): () => Change {
  const rows = createRows<Sale>(random, MOST_ROWS);
  /** Region, pieces and price of a sale. */
  const terms = (product: number): (string | null)[] => {
    const region = random.weighted(REGIONS);
    const pieces = random.weighted({ 1: 60, 2: 22, 3: 10, 4: 5, 12: 3 });
    const cents = Math.round(priceOf(product) * (0.9 + random.fraction() * 0.2));
    return [region === '' ? null : region, pieces, (cents / 100).toFixed(2)];
  };
  return () => {
    const kind = random.weighted(SALE_KINDS);
    const sale = kind === 'corrected' ? rows.any() : kind === 'cancelled' ? rows.take() : null;
    if (sale !== null) {
      if (kind === 'cancelled') return { table: 'sales', op: 'delete', key: sale.key, values: [], ago: 0 };
      return { table: 'sales', op: 'update', key: sale.key, values: terms(sale.product), ago: 0 };
    }
    const product = 1 + Math.floor(random.fraction() ** 1.6 * PRODUCTS);
    const key = keys.uuid();
    rows.add({ key, product });
    const values = [String(product), categoryOf(product), ...terms(product)];
    return { table: 'sales', op: 'insert', key, values, ago: 0 };
  };
}

interface Place {
  readonly product: number;
  readonly warehouse: string;
  pieces: number;
}

interface Movement {
  readonly key: string;
  readonly place: Place;
  readonly direction: 'in' | 'out';
  pieces: number;
}

/** More goes out than is there never; what runs low stays so for a while, and is delivered then. */
export function createStock(random: Random, keys: Random, known: readonly Stock[]): () => Change {
  const places: Place[] = [];
  for (let product = 1; product <= PRODUCTS; product++)
    for (const warehouse of WAREHOUSES) places.push({ product, warehouse, pieces: 0 });
  for (const { product_id, warehouse, pieces } of known) {
    const place = places.find((one) => one.product === product_id && one.warehouse === warehouse);
    if (place !== undefined) place.pieces = pieces;
  }
  const rows = createRows<Movement>(random, MOST_ROWS);

  const move = (place: Place, direction: 'in' | 'out', pieces: number): Change => {
    const movement = { key: keys.uuid(), place, direction, pieces };
    place.pieces += signed(movement);
    rows.add(movement);
    const values = [String(place.product), place.warehouse, direction, String(pieces)];
    return { table: 'stock_movements', op: 'insert', key: movement.key, values, ago: 0 };
  };

  const moved = (): Change => {
    const empty = places.find(({ pieces }) => pieces <= 0);
    if (empty !== undefined) return move(empty, 'in', random.between(60, 140) - empty.pieces);
    const low = places.filter(({ pieces }) => pieces < LOW);
    if (low.length > 0 && random.fraction() * 100 < DELIVERIES)
      return move(random.pick(low), 'in', random.between(60, 140));
    const place = random.pick(places);
    return move(place, 'out', Math.min(place.pieces, random.between(1, 8)));
  };

  /** What was counted wrong; never so that a warehouse holds less than nothing. */
  const correct = (movement: Movement): Change => {
    const { place, direction } = movement;
    const most = direction === 'out' ? Math.max(1, place.pieces + movement.pieces) : movement.pieces + 3;
    const least = direction === 'in' ? Math.max(1, movement.pieces - Math.max(0, place.pieces)) : 1;
    const pieces = Math.min(most, Math.max(least, movement.pieces + random.between(-3, 3)));
    place.pieces -= signed(movement);
    movement.pieces = pieces;
    place.pieces += signed(movement);
    return { table: 'stock_movements', op: 'update', key: movement.key, values: [String(pieces)], ago: 0 };
  };

  return () => {
    const kind = random.weighted(STOCK_KINDS);
    if (kind === 'corrected') {
      const movement = rows.any();
      if (movement !== null) return correct(movement);
    }
    if (kind === 'cancelled') {
      const movement = rows.take();
      // A delivery of which something was sold stays.
      if (movement !== null && movement.place.pieces - signed(movement) >= 0) {
        movement.place.pieces -= signed(movement);
        return { table: 'stock_movements', op: 'delete', key: movement.key, values: [], ago: 0 };
      }
    }
    return moved();
  };
}

function signed({ direction, pieces }: Movement): number {
  return direction === 'in' ? pieces : -pieces;
}
