import type { RouteDestination } from '../../model/virtual-service.ts';
import type { Context } from '../context.ts';
import { type Field, fieldsOf, itemsOf } from '../field.ts';
import { integer } from '../scalar.ts';
import { destination } from './destination.ts';
import { headers } from './headers.ts';
import { OLD_HEADERS, withOldHeaders } from './old-headers.ts';

const MOST = 4_294_967_295;

/** Destinations and their weights: shares of the sum of all. One destination needs none; of several, one without a weight gets nothing. */
export function routeDestinations(field: Field, context: Context): readonly RouteDestination[] {
  const items = itemsOf(field).filter((item) => item.given);
  const found: RouteDestination[] = [];
  let sum = 0;
  let weighted = 0;
  for (const item of items) {
    const fields = fieldsOf(item, ['destination', 'weight', 'headers', ...OLD_HEADERS]);
    const target = destination(fields.destination, context);
    const written = integer(fields.weight, 0, 2_147_483_647);
    const weight = written ?? (items.length === 1 ? 100 : 0);
    const changes = withOldHeaders(headers(fields.headers), fields);
    if (fields.weight.given) weighted += 1;
    else if (items.length > 1) {
      item.warning(
        'no-weight',
        'one of several destinations has no weight and gets no traffic',
        'give each a weight, together 100',
      );
    }
    sum += weight;
    if (target !== undefined) found.push({ destination: target, weight, headers: changes });
  }
  if (items.length > 0 && sum === 0)
    field.error('bad-weights', 'all weights are 0', 'give the destinations weights that are together 100');
  else if (sum > MOST) field.error('bad-weights', `the weights are together ${sum}`, `they may be together ${MOST}`);
  else if (items.length > 1 && weighted > 0 && sum !== 100) {
    field.warning(
      'weights-not-100',
      `the weights are together ${sum}, not 100; they are taken as shares of ${sum}`,
      'make them 100 together',
    );
  }
  if (items.length === 1 && weighted === 1 && sum === 0) return found.map((only) => ({ ...only, weight: 100 }));
  return found;
}
